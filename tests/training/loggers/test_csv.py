import csv
import errno
from pathlib import Path

import pytest

from fbm.training.loggers import Row, logged_rows, replay
from fbm.training.loggers.csv import CSVLogger


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_whenever_something_is_logged_and_columns_in_order(tmp_path):
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"val/loss": 0.1, "epoch": 0}, 3)
    logger.save()
    assert lines(tmp_path) == [{"epoch": "0", "step": "3", "val/loss": "0.1"}]
    logger.log_metrics({"train/loss": 2.5, "epoch": 0}, 3)
    logger.save()
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == "epoch,step,train/loss,val/loss"
    assert lines(tmp_path)[1] == {"epoch": "0", "step": "3", "train/loss": "2.5", "val/loss": ""}


def test_numbers_are_read_back_as_they_were(tmp_path):
    logger = CSVLogger(tmp_path)
    values = {"a": 0.1 + 0.2, "b": 1e-30, "c": float("nan"), "d": 7}
    logger.log_metrics(values, 0)
    logger.finalize("success")
    (row,) = lines(tmp_path)
    assert {key: repr(value) for key, value in values.items()} == {key: row[key] for key in values}


def test_going_on_leaves_the_rows_that_are_known_whatever_the_file_holds(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,step,loss\n0,1,0.5\n1,3,0.4\n2,5,0.")
    logger = CSVLogger(tmp_path)
    replay([logger], [Row(1, {"epoch": 0, "loss": 0.5})])
    assert [row["loss"] for row in lines(tmp_path)] == ["0.5"]
    logger.log_metrics({"epoch": 1, "loss": 0.45}, 3)
    logger.save()
    assert [row["loss"] for row in lines(tmp_path)] == ["0.5", "0.45"]
    assert logged_rows([logger]) == [(1, {"epoch": 0, "loss": 0.5}), (3, {"epoch": 1, "loss": 0.45})]
    replay([logger], [])
    assert lines(tmp_path) == []


def test_a_full_disk_leaves_the_file_whole(tmp_path, monkeypatch):
    logger = CSVLogger(tmp_path)
    logger.log_metrics({"loss": 1.0}, 0)
    logger.save()
    before = (tmp_path / "metrics.csv").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        logger.log_metrics({"loss": 2.0}, 1)
        with pytest.raises(OSError, match="No space left"):
            logger.save()
    assert (tmp_path / "metrics.csv").read_bytes() == before
    logger.save()
    assert len(lines(tmp_path)) == 2


def test_other_ranks_write_nothing(tmp_path, monkeypatch):
    from pytorch_lightning.utilities import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = CSVLogger(tmp_path)
    logger.log_hyperparams({})
    logger.log_metrics({"loss": 1.0}, 0)
    logger.save()
    replay([logger], [Row(0, {"loss": 1.0})])
    assert list(tmp_path.iterdir()) == []
