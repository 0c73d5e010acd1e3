import json
from pathlib import Path

import pytest
import yaml
from pytorch_lightning.loggers import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # type: ignore[import-untyped]

from tests.tiny import fbm, make_store, only_error, settings
from tests.training.interrupted import Killed, Moment, end_at


def test_metrics_and_pictures_are_in_the_event_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path / "store")
    asked = settings(store, "logger=tensorboard", "task=autoencode", "name=run", "trainer.max_epochs=2")
    assert fbm("train", *asked) == 0
    assert fbm("train", *asked, "test=true") == 0  # goes on in the same folder
    run = Path("outputs/demo/run")
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0}).Reload()
    metrics = json.loads((run / "summary.json").read_text())["metrics"]
    assert min(event.value for event in events.Scalars("val/loss")) == pytest.approx(metrics["val/loss"])
    assert len(events.Scalars("val/loss")) == 2
    assert [event.value for event in events.Scalars("test/loss")] == [pytest.approx(metrics["test/loss"])]
    assert [image.step for image in events.Images("gallery/epoch")] == [0, 1]
    assert events.Images("gallery/test")[0].encoded_image_string.startswith(b"\x89PNG")
    assert "optim" in yaml.safe_load((run / "tensorboard" / "hparams.yaml").read_text())


def test_a_run_that_goes_on_has_every_step_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = settings(make_store(tmp_path / "store"), "logger=tensorboard", "task=classify", "name=run")
    asked.append("trainer.max_epochs=3")
    end_at(monkeypatch, Moment("on_train_epoch_start", 2))  # the second epoch is told, and not saved
    with pytest.raises(Killed):
        fbm("train", *asked)
    assert fbm("train", *asked) == 0
    events = EventAccumulator(str(tmp_path / "outputs/demo/run/tensorboard")).Reload()
    for name in ("val/loss", "train/loss"):
        assert [event.step for event in events.Scalars(name)] == [1, 3, 5]


def test_without_tensorboard_the_extra_is_named(tmp_path, monkeypatch, capsys):
    def missing(*_, **__):
        raise ModuleNotFoundError("No module named 'tensorboard'")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tensorboard.TensorBoardLogger.__bases__[1], "__init__", missing)
    assert fbm("train", *settings(make_store(tmp_path / "store"), "logger=tensorboard", "task=autoencode")) == 1
    assert only_error(capsys.readouterr().err).endswith("pip install fbm-video[tensorboard]")
