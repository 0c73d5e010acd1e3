import re
from dataclasses import replace

import pytest

from fbm.report.page import SECTIONS, render
from fbm.report.read.runs import find
from fbm.report.results import results
from fbm.utils.errors import UserError
from tests.report.fake import fake_run, fake_study
from tests.report.full_study import full_study


def page(path, picture=None):
    made = replace(results(find([path])), figure2=picture, figure2_caption="why not")
    return render(made, "fbm report demo")


def test_self_contained(tmp_path):
    study = fake_study(tmp_path)
    html = page(study, study / "disentangle-None-seed0" / "gallery" / "test.png")
    assert not re.search(r"https?://|<link|@import|url\(|<script [^>]*src", html)
    sources = re.findall(r'src="([^"]{0,40})', html)
    assert len(sources) == 1 + 2 * 3  # Figure 2; first, middle, last epoch of two pretrainings
    assert all(source.startswith("data:image/webp;base64,") for source in sources)
    assert "default-src 'none'" in html  # a browser would refuse whatever else came in


def test_says_what_is_missing_and_where_numbers_come_from(tmp_path):
    html = page(fake_study(tmp_path))
    assert "classify-autoencoder-seed2, unfinished, 3 epochs" in html
    assert "Missing seeds" in html
    assert "Left out: why not." in html
    for fact in ("abc123", "2.13.0", "classify-ours-same", "fbm report demo", "99.0", "144 clips"):
        assert fact in html


def test_names_are_text_and_not_markup(tmp_path):
    fake_run(tmp_path / "a<b>&c", init="<i>odd</i>", name="run")
    html = page(tmp_path)
    assert "<title>a&lt;b&gt;&amp;c</title>" in html
    assert "<i>odd" not in html


def test_every_section_of_a_full_study(tmp_path):
    html = page(full_study(tmp_path))
    linked = re.findall(r'<a href="#(\w+)">', html)
    assert [name for name in linked if name != "missing"] == [name for name in SECTIONS if name != "missing"]
    assert all(f'<section id="{name}">' in html for name in linked)
    for fact in ("10c40c40c40c40c4", "9ac4a9e59ac4a9e5", "scarcity/disentangle-None-seed0", "disentangle-print"):
        assert fact in html


def test_a_plain_study_has_no_empty_section(tmp_path):
    fake_run(tmp_path / "demo")
    html = page(tmp_path)
    assert re.findall(r'<section id="(\w+)">', html) == ["table1", "pictures", "training", "runs", "provenance"]


def test_each_point_of_a_chart_can_be_read_without_a_script(tmp_path):
    html = page(full_study(tmp_path, fractions=(0.25, 1.0)))
    assert html.count("<title>Pretrained (ours). Epoch 7: ") == 2  # one chart a share
    assert re.search(
        r"<title>Random initialization. 25 % of groups labelled: \d+\.\d ± \d+\.\d % \(3 runs\)</title>", html
    )


def test_a_damaged_picture_is_named(tmp_path):
    study = full_study(tmp_path)
    (study / "disentangle-None-seed0" / "gallery" / "swap-motion.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    with pytest.raises(UserError, match=r"swap-motion.png: not a readable picture"):
        page(study)


def test_many_runs_stay_a_light_page(tmp_path):
    study = full_study(tmp_path, fractions=(0.1, 0.2, 0.5, 1.0))
    for seed in range(1, 6):
        fake_run(study, task="disentangle", init=None, seed=seed)
    assert len(page(study)) < 1_000_000
