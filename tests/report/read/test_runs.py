import json

import pytest

from fbm.report.read.runs import find
from fbm.runs.summary import Origin
from fbm.utils.errors import UserError
from tests.report.fake import fake_run, fake_study


def test_finds_every_run_once_and_nothing_inside_them(tmp_path):
    study = fake_study(tmp_path)
    wandb = study / "classify-ours-seed0" / "wandb" / "files"
    wandb.mkdir(parents=True)
    (wandb / "config.yaml").write_text("a: 1\n")
    found = find([study, study / "classify-ours-seed0"])
    assert len(found.runs) == 10
    assert [run.path.name for run in found.missing if run.started] == ["classify-autoencoder-seed2"]
    assert len(found.of("disentangle", "autoencode")) == 3


def test_what_a_run_moved_aside_is_no_run(tmp_path):
    """A run that is done again and breaks off at once leaves its folder with nothing but what was there before."""
    run = fake_run(tmp_path / "demo")
    aside = run / "earlier-1"
    aside.mkdir()
    for file in ("config.yaml", "summary.json"):
        (run / file).rename(aside / file)
    with pytest.raises(UserError, match="no run found"):
        find([tmp_path])


def test_summaries_of_older_and_newer_runs(tmp_path):
    start = {"folder": "outputs/a/b", "study": "a", "run": "b", "seed": 0, "fingerprint": "f", "later": 1}
    new = {"confusion": [[3, 1], [0, 4]], "pretraining": start, "label_fraction": 0.5, "lock": None, "unheard": 1}
    fake_run(tmp_path / "demo", seed=0)
    fake_run(tmp_path / "demo", seed=1, more=new)
    old, newer = find([tmp_path]).runs
    assert (old.summary.confusion, old.summary.pretraining, old.label_fraction) == (None, None, None)
    assert newer.summary.confusion == [[3, 1], [0, 4]]
    assert newer.summary.pretraining == Origin("outputs/a/b", "a", "b", 0, "f")
    assert newer.label_fraction == 0.5


def test_missing_path(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        find([tmp_path / "nowhere"])


def test_no_runs(tmp_path):
    with pytest.raises(UserError, match="no run found"):
        find([tmp_path])


@pytest.mark.parametrize("text", ["", "{", "[]", '{"task": "classify"}'])
def test_damaged_summary_is_named(tmp_path, text):
    run = fake_run(tmp_path / "demo")
    (run / "summary.json").write_text(text)
    with pytest.raises(UserError, match=r"classify-random-seed0/summary.json: damaged") as caught:
        find([tmp_path])
    assert "\n" not in str(caught.value)


def test_two_data_sets_refused_naming_one_run_of_each(tmp_path):
    fake_run(tmp_path / "demo", seed=0)
    fake_run(tmp_path / "demo", seed=1, data="d2")
    with pytest.raises(UserError, match=r"seed0 .*seed1"):
        find([tmp_path])


def test_an_encoder_may_be_pretrained_on_other_data(tmp_path):
    fake_run(tmp_path / "demo", seed=0)
    fake_run(tmp_path / "demo", task="disentangle", init=None, data="d2")
    assert len(find([tmp_path]).runs) == 2


def test_impossible_accuracy(tmp_path):
    run = fake_run(tmp_path / "demo")
    summary = json.loads((run / "summary.json").read_text())
    summary["metrics"]["test/clip_top1"] = float("nan")
    (run / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(UserError, match="test/clip_top1 is nan"):
        find([tmp_path]).runs[0].accuracy("test/clip_top1")


def test_damaged_config(tmp_path):
    run = fake_run(tmp_path / "demo")
    (run / "config.yaml").write_text("a: [")
    with pytest.raises(UserError, match=r"config.yaml: damaged config \(not readable as YAML") as caught:
        _ = find([tmp_path]).runs[0].config
    assert "\n" not in str(caught.value)
