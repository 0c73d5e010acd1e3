"""`fbm analyse --bias` on two classifications of a tiny store, one of them with several views and a frozen encoder."""

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from fbm.evaluation.bias import analyse_bias
from fbm.evaluation.probing.settings import Settings
from fbm.runs.bias import VERSIONS, WITHOUT_MASKS
from tests.tiny import fbm, make_store, only_error, settings


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with `store` and the study `outputs/demo`; look, do not touch."""
    top: Path = tmp_path_factory.mktemp("bias")
    small = settings(make_store(top / "store"), "callbacks.gallery=null", "test=true")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        assert fbm("train", *small, "task=classify", "name=tuned") == 0
        assert fbm("train", *small, "task=linear", "name=linear", "test_views.clips=10") == 0
        assert fbm("train", *small[:-1], "task=autoencode", "name=auto") == 0
    return top


@pytest.fixture(scope="module")
def measured(trained, tmp_path_factory) -> Path:
    """The study, measured; look, do not touch."""
    study = Path(shutil.copytree(trained / "outputs" / "demo", tmp_path_factory.mktemp("measured") / "demo"))
    assert fbm("analyse", "--bias", str(study), "--resamples", "100") == 0
    return study


@pytest.fixture
def study(measured, tmp_path) -> Path:
    """The measured study, to be changed."""
    return Path(shutil.copytree(measured, tmp_path / "demo"))


def content(run: Path, name: str = "bias.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / name).read_text())
    return found


def test_every_version_is_measured(measured):
    for name in ("tuned", "linear"):
        found = content(measured / name)
        assert [version["name"] for version in found["versions"]] == found["possible"] == list(VERSIONS)
        assert (found["clips"], found["test_clips"], found["masks"]) == (12, 12, "boxes")
        assert found["interval"] == "95 % percentile bootstrap over test groups, 100 resamples"
        original = found["versions"][0]
        assert (original["difference"], original["difference_low"], original["difference_high"]) == (0, 0, 0)
        for one in found["versions"]:
            assert len(one["outcomes"]) == 12
            assert one["accuracy"] == pytest.approx(one["outcomes"].count("1") / 12)
            assert one["low"] <= one["accuracy"] <= one["high"]
            assert one["difference"] == pytest.approx(one["accuracy"] - original["accuracy"])
            assert one["difference_low"] <= one["difference"] <= one["difference_high"]
    assert not (measured / "auto" / "bias.json").exists()


def test_the_original_is_what_the_test_measured(measured):
    tested = content(measured / "tuned", "summary.json")["metrics"]["test/clip_top1"]
    assert content(measured / "tuned")["versions"][0]["accuracy"] == pytest.approx(tested)


def test_one_clip_is_drawn_in_every_version(measured):
    picture = matplotlib.image.imread(measured / "tuned" / "gallery" / "bias.png")
    assert picture.shape[0] == 100 * len(VERSIONS)


def test_the_table_is_printed(study, capsys):
    assert fbm("analyse", "--bias", str(study), "--resamples", "100") == 0
    shown = capsys.readouterr().out
    for text in (*VERSIONS.values(), "12 of 12", "made before", "masks are boxes"):
        assert text in shown
    assert shown.count("linear") >= 1


def test_what_is_measured_is_not_measured_again(study):
    before = (study / "tuned" / "bias.json").read_bytes()
    assert [one.fresh for one in analyse_bias([study, study / "tuned"], Settings(100))] == [False, False]
    assert (study / "tuned" / "bias.json").read_bytes() == before


def test_an_interrupted_measurement_continues_with_the_version_it_was_at(study, measured):
    """What is there is kept as it is: a changed outcome shows it."""
    found = content(study / "tuned")
    found["versions"] = found["versions"][:4]
    found["versions"][1]["outcomes"] = "0" * 12
    (study / "tuned" / "bias.json").write_text(json.dumps(found))
    assert [one.fresh for one in analyse_bias([study], Settings(100))] == [False, True]  # linear, tuned
    again, whole = content(study / "tuned")["versions"], content(measured / "tuned")["versions"]
    assert again[:4] == found["versions"]
    assert again[4:] == whole[4:]


@pytest.mark.parametrize(("settings_", "fresh"), [(Settings(100, seed=1), True), (Settings(100, overwrite=True), True)])
def test_other_settings_are_measured(study, settings_, fresh):
    assert [one.fresh for one in analyse_bias([study / "tuned"], settings_)] == [fresh]


def test_without_masks_time_alone_is_changed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = settings(make_store(tmp_path / "store", masks=False), "callbacks.gallery=null")
    assert fbm("train", *small, "task=classify", "name=run") == 0
    (one,) = analyse_bias([tmp_path / "outputs" / "demo" / "run"], Settings(50))
    assert [version.name for version in one.report.versions] == list(WITHOUT_MASKS)


# --- several views and a frozen encoder


def test_ten_views_of_each_test_video(trained):
    """Videos have 34 frames, so that there are 19 places for a clip of 16."""
    tuned, linear = (content(trained / "outputs" / "demo" / name, "summary.json") for name in ("tuned", "linear"))
    assert (tuned["samples"]["test"], linear["samples"]["test"]) == (12, 120)
    assert (tuned["tested_clips"], linear["tested_clips"]) == (12, 120)
    assert sum(map(sum, linear["video_confusion"])) == 12
    for summary in (tuned, linear):
        assert list(summary["intervals"]) == ["test/clip_top1", "test/video_top1"]
        for name, (low, high) in summary["intervals"].items():
            assert 0 <= low <= summary["metrics"][name] <= high <= 1


# --- bad input: one line each


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("analyse", "--bias", "outputs/demo/auto"), "--bias takes classification runs"),
        (("analyse", "--bias", "store"), "no finished classification run in it"),
        (("analyse", "outputs/demo/tuned"), "fbm analyse takes pretraining runs"),
        (("train", "task=classify", "data.store=store", "test_views.clips=0"), "test_views.clips=0"),
        (("train", "task=classify", "data.store=store", "test_views.crops=2"), "should be 1 or 3"),
        (("train", "task=classify", "data.store=store", "test_views.crops=3"), "needs frames larger"),
        (("train", "task=disentangle", "data.store=store", "test_views.clips=10"), "test_views"),
    ],
)
def test_bad_input_is_one_line(trained, monkeypatch, capsys, arguments, wanted):
    monkeypatch.chdir(trained)
    small = settings(trained / "store") if arguments[0] == "train" else ()
    assert fbm(arguments[0], *small, *arguments[1:]) == 1
    assert wanted in only_error(capsys.readouterr().err)
