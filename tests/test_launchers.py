"""Hydra's own launchers and sweepers under `fbm train -m`: each with its config file."""

import json
from pathlib import Path
from typing import Any

import hydra
import pytest

from fbm.config.compose import compose, composing
from fbm.config.messages import explain_hydra_error
from tests.tiny import fbm, make_store, only_error, settings


@pytest.fixture
def small(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return ["task=classify", "study=tiny", *settings(make_store(tmp_path / "store"))]


def summaries() -> dict[str, dict[str, Any]]:
    return {path.parent.name: json.loads(path.read_text()) for path in Path("outputs/tiny").glob("*/summary.json")}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [None, "joblib"])  # submitit_local: tests/study
def test_a_launcher_runs_a_grid(launcher, small, request):
    if launcher:
        request.getfixturevalue("joblib_ends")
    assert fbm("train", "-m", "seed=0,1", *([f"launcher={launcher}"] if launcher else []), *small) == 0
    assert {summary["seed"] for summary in summaries().values()} == {0, 1}
    assert len(summaries()) == 2


@pytest.mark.slow
def test_optuna_searches_on_validation_alone_and_goes_on_where_it_was(small, capfd):
    pytest.importorskip("optuna")
    search = ["train", "-m", "sweeper=optuna", "optim.lr=tag(log, interval(1e-4, 1e-2))"]
    small = [setting for setting in small if not setting.startswith("optim.lr")]
    assert fbm(*search, "hydra.sweeper.n_trials=2", *small) == 0, capfd.readouterr().err
    first = summaries()
    assert len(first) == 2
    assert fbm(*search, "hydra.sweeper.n_trials=4", *small) == 0
    both = summaries()
    assert len(both) == 4
    assert {name: both[name] for name in first} == first
    assert all("val/clip_top1" in summary["metrics"] for summary in both.values())
    assert not [name for summary in both.values() for name in summary["metrics"] if name.startswith("test/")]
    best = max(summary["metrics"]["val/clip_top1"] for summary in both.values())
    assert f"best_value: {best}" in Path("outputs/tiny/optimization_results.yaml").read_text()


@pytest.mark.slow
def test_a_search_may_not_touch_the_test_split(small, capsys):
    pytest.importorskip("optuna")
    assert fbm("train", "-m", "sweeper=optuna", "optim.lr=interval(1e-4,1e-2)", *small[:-1], "test=true") == 1
    assert "a search may not touch the test split" in capsys.readouterr().err
    assert summaries() == {}


def test_optuna_looks_for_the_better_direction_of_each_task():
    for task, direction in (("classify", "maximize"), ("disentangle", "minimize")):
        with composing():
            config = hydra.compose("train", ["sweeper=optuna", f"task={task}"], return_hydra_config=True)
        assert config.hydra.sweeper.direction == direction


def test_a_missing_plugin_names_its_extra():
    error = ValueError("In 'launcher/slurm': Could not find 'hydra/launcher/submitit_slurm'\n\nAvailable options ...")
    assert (
        explain_hydra_error(error, "train")
        == "Hydra's submitit plugin is not installed: pip install 'fbm-video[submitit]'"
    )


@pytest.mark.parametrize("chosen", ["launcher=joblib", "launcher=slurm", "launcher=submitit_local", "sweeper=optuna"])
def test_each_composes_with_every_task(chosen):
    for task in ("classify", "disentangle", "autoencode"):
        assert compose([chosen, f"task={task}"]).task_name == task


def test_an_unknown_launcher_is_one_line(small, capsys):
    assert fbm("train", "-m", "launcher=joblb", *small) == 1
    assert only_error(capsys.readouterr().err) == "no such option 'launcher/joblb'; did you mean 'joblib'?"
