import json

import pytest

from fbm.runs.summary import Fingerprints, Origin, RunSummary
from tests.runs.summaries import run_summary

OLDEST = {
    "run": "a",
    "task": "classify",
    "seed": 1,
    "metrics": {"val/loss": 1.5},
    "fingerprints": {"config": "c", "comparison": "cc", "data": "d"},
}


def test_what_is_written_is_read():
    summary = run_summary(
        metrics={"test/loss": 0.5, "val/psnr": float("inf")},
        pretraining=Origin("outputs/a/b", "a", "b", 0, "f"),
        confusion=[[3, 1], [0, 4]],
        intervals={"test/clip_top1": (0.25, 0.75)},
        source={"place": "step 2"},
    )
    assert RunSummary.from_json(summary.to_json()) == summary
    assert summary.tested


def test_the_file_begins_with_what_names_the_run():
    content = json.loads(run_summary().to_json())
    assert list(content)[:6] == ["study", "run", "job_type", "task", "init", "seed"]
    assert list(content["fingerprints"]) == ["run", "config", "comparison", "data"]
    assert "extra" not in content


def test_older_files_are_read_and_keys_of_newer_ones_are_kept():
    summary = RunSummary.from_json(json.dumps({**OLDEST, "later": {"a": 1}}))
    assert summary.fingerprints == Fingerprints(config="c", comparison="cc", data="d")
    assert (summary.pretraining, summary.label_fraction, summary.tested) == (None, None, False)
    assert json.loads(summary.to_json())["later"] == {"a": 1}


@pytest.mark.parametrize("key", OLDEST)
def test_what_is_missing_is_named(key):
    content = {name: value for name, value in OLDEST.items() if name != key}
    with pytest.raises(ValueError, match=rf"^{key}: .*$"):
        RunSummary.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "3"])
def test_what_is_no_summary_is_one_line(text):
    with pytest.raises(ValueError, match=r"\S") as caught:
        RunSummary.from_json(text)
    assert "\n" not in str(caught.value)
