from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
import wandb
from pytorch_lightning.loggers import Logger

from fbm.training.loggers import ReplayableLogger, Row, logged_rows
from fbm.training.loggers.csv import CSVLogger
from fbm.training.loggers.wandb import WandbLogger
from tests.training.loggers.offline import offline_runs


class Kept(ReplayableLogger):
    """Keeps what it tells."""

    def __init__(self) -> None:
        self.sent: list[tuple[dict[str, Any], int | None]] = []

    def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
        self.sent.append((dict(metrics), step))


def test_numbers_are_remembered_and_everything_is_told(tmp_path):
    logger, picture = Kept(), object()
    logger.log_metrics({"loss": 0.5, "epoch": 1}, 4)
    logger.log_metrics({"picture": picture})
    logger.log_metrics({"top1": np.float64(0.25), "picture": picture}, 6)
    assert logger.history == [(4, {"loss": 0.5, "epoch": 1}), (6, {"top1": 0.25})]
    assert logger.sent[1] == ({"picture": picture}, None)
    torch.save([tuple(row) for row in logger.history], tmp_path / "rows")
    assert torch.load(tmp_path / "rows", weights_only=True)[1] == (6, {"top1": 0.25})


def test_what_could_not_be_told_is_not_taken_for_told():
    class Broken(Kept):
        def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
            raise OSError("away")

    logger = Broken()
    with pytest.raises(OSError, match="away"):
        logger.log_metrics({"loss": 0.5}, 0)
    assert logger.history == []


def test_the_rows_of_loggers_where_only_some_remember(tmp_path):
    class Other(Logger):
        name, version = "other", "0"

        def log_metrics(self, *_: Any, **__: Any) -> None: ...

        def log_hyperparams(self, *_: Any, **__: Any) -> None: ...

    logger = CSVLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 0)
    assert logged_rows([Other(), logger]) == [(0, {"loss": 1.0})]
    assert logged_rows([Other()]) == []


ROWS = [Row(step, {"loss": 1.0 / (step + 1), "epoch": step}) for step in range(4)]


class Server:
    """What wandb.init gives where a server has so many rows of the run already."""

    def __init__(self, rows: int) -> None:
        self.starting_step, self.offline, self.disabled, self.id = rows, False, False, "abc123"
        self.sent: list[dict[str, Any]] = []

    def log(self, row: dict[str, Any]) -> None:
        self.sent.append(row)

    def define_metric(self, *_: Any, **__: Any) -> None: ...


@pytest.mark.parametrize(("there", "missing"), [(0, [0, 1, 2, 3]), (3, [3]), (4, []), (6, [])])
def test_wandb_online_is_told_what_is_missing_and_nothing_twice(tmp_path, monkeypatch, there, missing):
    server = Server(there)
    monkeypatch.setattr("fbm.training.loggers.wandb.mode", lambda _: "online")
    monkeypatch.setattr(wandb, "init", lambda **_: server)
    logger = WandbLogger(tmp_path, "run", "study", "classify")
    logger.replay(ROWS)
    _ = logger.experiment
    assert [row["trainer/global_step"] for row in server.sent] == missing
    server.sent.clear()
    for step in (4, 5, 6):  # an attempt that was killed may have told the first two
        logger.log_metrics({"loss": 0.0}, step)
    assert [row["trainer/global_step"] for row in server.sent] == [4, 5, 6][max(0, there - 4) :]


def test_wandb_offline_is_written_anew_and_the_old_file_archive_offline_runs(tmp_path):
    def told() -> list[list[Any]]:
        return [run.series("loss") for run in offline_runs(tmp_path)]

    first = WandbLogger(tmp_path, "run", "study", "classify")
    first.log_metrics({"loss": 1.0}, 0)
    first.log_metrics({"loss": 5.0}, 1)  # of a branch that was lost
    first.close(failed=True)
    assert told() == [[1.0, 5.0]]
    for attempt in (1, 2):
        again = WandbLogger(tmp_path, "run", "study", "classify")
        again.replay(ROWS)
        again.log_metrics({"loss": 0.125}, 4)
        again.close(failed=False)
        assert told() == [[1.0, 0.5, pytest.approx(1 / 3), 0.25, 0.125]]
        assert len(list((tmp_path / "wandb" / "replaced").iterdir())) == attempt
    assert offline_runs(tmp_path)[0].run.run_id == (tmp_path / "wandb_id").read_text().strip()


def test_a_disabled_wandb_goes_on_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = WandbLogger(tmp_path, "run", "study", "classify")
    logger.replay(ROWS)
    logger.log_metrics({"loss": 0.125}, 4)
    logger.close(failed=False)
    assert not (tmp_path / "wandb" / "replaced").exists()
    assert len(logger.history) == 5
