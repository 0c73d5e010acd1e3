from pathlib import Path

import pytest
from pytorch_lightning.loggers import Logger

from fbm.runs.summary import Origin
from fbm.training.loggers import FinishedRun, RunMirror, close, mirror
from fbm.training.loggers.csv import CSVLogger
from fbm.training.loggers.mirror import kinds, saved_run_id
from fbm.training.loggers.tables import confusion_table, per_class_table
from tests.runs.summaries import run_summary


class Told(RunMirror, CSVLogger):
    """Keeps what it is told."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__(Path())
        self.broken, self.shown = broken, 0
        self.ends: list[bool] = []

    def log_run(self, run: FinishedRun) -> None:
        if self.broken:
            raise OSError("the server is away")
        self.shown += 1

    def close(self, failed: bool) -> None:
        self.ends.append(failed)


@pytest.fixture
def run(tmp_path) -> FinishedRun:
    (tmp_path / "gallery").mkdir()
    for name in ("epoch-005.png", "epoch-010.png", "swap-motion.png", "test.png", "notes.txt"):
        (tmp_path / "gallery" / name).touch()
    return FinishedRun(tmp_path, run_summary())


def test_pictures_by_key_and_epoch(run):
    assert [(key, epoch, path.name) for key, epoch, path in run.pictures] == [
        ("gallery/epoch", 5, "epoch-005.png"),
        ("gallery/epoch", 10, "epoch-010.png"),
        ("gallery/swap-motion", None, "swap-motion.png"),
        ("gallery/test", None, "test.png"),
    ]


def test_what_was_shown_before_is_not_shown_again(run):
    again = FinishedRun(run.folder, run.summary, again=True)
    assert [picture.key for picture in again.pictures] == ["gallery/swap-motion", "gallery/test"]


def test_a_run_without_pictures(tmp_path):
    assert FinishedRun(tmp_path, run_summary()).pictures == []


def test_the_source_is_the_checkpoint_that_was_named(tmp_path):
    path = tmp_path / "some.ckpt"
    path.touch()
    assert FinishedRun(tmp_path, run_summary(pretraining=Origin(str(path)))).source == path
    assert FinishedRun(tmp_path, run_summary()).source is None


def test_one_logger_that_fails_does_not_keep_the_others_from_being_told(run):
    good, others = Told(), CSVLogger(Path())
    loggers: list[Logger] = [Told(broken=True), others, good]
    with pytest.warns(UserWarning, match=r"Told did not log all of .*OSError\('the server is away'\)"):
        mirror(loggers, run)
    close(loggers, failed=True)
    assert good.shown == 1
    assert good.ends == [True]


def test_other_ranks_are_silent(run, monkeypatch):
    from pytorch_lightning.utilities import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = Told()
    mirror([logger], run)
    close([logger], failed=False)
    assert (logger.shown, logger.ends) == (0, [])


def test_an_id_that_was_kept(tmp_path):
    assert saved_run_id(tmp_path / "wandb_id") is None
    Path(tmp_path / "wandb_id").write_text("abc\n")
    assert saved_run_id(tmp_path / "wandb_id") == "abc"


def test_the_kinds_of_a_run():
    encoder = {"_target_": "mine.Encoder", "width": 8}
    config = {"task_name": "classify", "init": {"name": "ours"}, "data": {"name": "demo"}, "encoder": encoder}
    assert list(kinds({"config": config}).values()) == ["classify", "ours", "demo", "Encoder", "width 8"]
    assert "width" not in kinds({"config": {**config, "encoder": {"_target_": "mine.Encoder"}}})
    assert kinds({}) == {}


def test_tables_of_a_confusion():
    counts = [[3, 1, 0], [0, 2, 2], [0, 0, 0]]
    classes = ["run", "jump", "sit"]
    assert confusion_table(counts, classes) == (
        ["true class", "run", "jump", "sit"],
        [["run", 3, 1, 0], ["jump", 0, 2, 2], ["sit", 0, 0, 0]],
    )
    assert per_class_table(counts, classes).rows == [["run", 4, 3, 0.75], ["jump", 4, 2, 0.5], ["sit", 0, 0, None]]
