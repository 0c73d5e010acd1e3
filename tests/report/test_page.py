import re

from fbm.report.page import Pictures, progress, render
from fbm.report.runs import find
from fbm.report.table1 import table1
from tests.report.fake import fake_run, fake_study


def page(path, picture=None):
    found = find([path])
    return render(table1(found), found, Pictures(picture, "why not", picture), "fbm report demo")


def test_self_contained(tmp_path):
    study = fake_study(tmp_path)
    html = page(study, study / "disentangle-None-seed0" / "gallery" / "test.png")
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)
    sources = re.findall(r'src="([^"]{0,40})', html)
    assert len(sources) == 2 + 2 * 3  # two figures; first, middle, last of two pretrainings
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_says_what_is_missing_and_where_numbers_come_from(tmp_path):
    html = page(fake_study(tmp_path))
    assert "classify-autoencoder-seed2" in html
    assert "no finished run for these seeds: 0, 2" in html
    assert "Left out: why not." in html
    for fact in ("abc123", "2.13.0", "classify-ours-same", "fbm report demo", "99.0", "144 clips"):
        assert fact in html


def test_names_are_text_and_not_markup(tmp_path):
    fake_run(tmp_path / "a<b>&c", init="<i>odd</i>", name="run")
    html = page(tmp_path)
    assert "<title>a&lt;b&gt;&amp;c</title>" in html
    assert "<i>odd" not in html


def test_progress_shows_first_middle_and_last_of_the_lowest_seed(tmp_path):
    shown = progress(find([fake_study(tmp_path)]))
    assert {run.run for run in shown} == {"disentangle-None-seed0", "autoencode-None-seed0"}
    assert [caption for caption, _ in shown[0].shots] == ["epoch 000", "epoch 007", "epoch 011"]
