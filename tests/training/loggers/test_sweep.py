"""The W&B sweep of experiments/wandb_sweep, as its agent runs it, up to the server that says what to try."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import wandb
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from tests.conftest import REPOSITORY
from tests.tiny import fbm, make_store, settings
from tests.training.loggers.offline import offline_runs

SWEEP: dict[str, Any] = yaml.safe_load((REPOSITORY / "experiments" / "wandb_sweep" / "sweep.yaml").read_text())


def trial(largest: bool) -> dict[str, Any]:
    """A value of every parameter: the first or smallest, or the last or largest."""
    values = {}
    for name, choice in SWEEP["parameters"].items():
        ends = choice["values"] if "values" in choice else [choice["min"], choice["max"]]
        values[name] = ends[-1 if largest else 0]
    return values


def command_line(parameters: dict[str, Any]) -> list[str]:
    """The words that an agent runs, by W&B's own functions."""
    arguments = create_sweep_command_args({"args": {name: {"value": value} for name, value in parameters.items()}})
    words: list[str] = []
    for word in create_sweep_command(SWEEP["command"]):
        words += arguments["args_no_hyphens"] if word == "${args_no_hyphens}" else [word]
    return words


@pytest.fixture
def as_an_agent(monkeypatch, tmp_path):
    """The environment that an agent gives to a trial."""
    wandb.teardown()
    (tmp_path / "parameters.yaml").write_text(yaml.safe_dump({"optim.lr": {"value": 0.01}}))
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    monkeypatch.setenv("WANDB_RUN_ID", "trial456")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(tmp_path / "parameters.yaml"))
    monkeypatch.chdir(tmp_path)
    yield
    wandb.teardown()


@pytest.mark.parametrize("largest", [False, True])
def test_a_trial_runs_and_takes_id_and_sweep_from_the_agent(as_an_agent, tmp_path, largest):
    program, *words = command_line(trial(largest))
    assert program == "fbm"
    tiny = [word for word in settings(make_store(tmp_path / "store")) if not word.startswith(("logger", "optim"))]
    assert fbm(*words, *tiny) == 0
    runs = list(Path("outputs/wandb_sweep").iterdir())
    assert len(runs) == 1
    assert (runs[0] / "wandb_id").read_text().strip() == "trial456"
    found = offline_runs(runs[0])[0]
    assert (found.run.run_id, found.run.sweep_id, found.run.run_group) == ("trial456", "sweep123", "wandb_sweep")
    assert found.config["optim"]["lr"] == trial(largest)["optim.lr"]
    told = json.loads((runs[0] / "summary.json").read_text())
    goal = SWEEP["metric"]["name"]
    assert found.summary[goal] == pytest.approx(told["metrics"][goal])
    assert not any(name.startswith("test/") for name in told["metrics"])


def test_the_goal_is_of_validation_and_as_the_task_monitors_it():
    task = yaml.safe_load((REPOSITORY / "conf" / "task" / "classify.yaml").read_text())
    assert SWEEP["metric"]["name"] == task["monitor"]["metric"]
    assert SWEEP["metric"]["goal"] == f"{task['monitor']['mode']}imize"
    assert "WANDB_SWEEP_ID" not in os.environ
