import json
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from pytorch_lightning import Trainer

from fbm.cli.doctor.configs import check_config
from tests.tiny import fbm, make_store, only_error, settings
from tests.training.interrupted import Killed, Moment, end_at


@pytest.fixture
def store(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_store(tmp_path / "store")


def kept(run: Path):
    """The client of a run's own store, and its only run."""
    client = MlflowClient((run / "mlflow").resolve().as_uri())
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1
    return client, runs[0]


def test_what_its_store_holds(store):
    asked = settings(store, "logger=mlflow", "+logger.mlflow.tags.who=me", "task=classify", "name=run")
    assert fbm("train", *asked, "trainer.max_epochs=2") == 0
    assert fbm("train", *asked, "trainer.max_epochs=2", "test=true") == 0  # goes on in the same run
    folder = Path("outputs/demo/run")
    client, run = kept(folder)
    told = json.loads((folder / "summary.json").read_text())
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    assert (folder / "mlflow_id").read_text().strip() == run.info.run_id
    history = [metric.value for metric in client.get_metric_history(run.info.run_id, "val/clip_top1")]
    assert len(history) == 2
    assert max(history) == pytest.approx(told["metrics"]["val/clip_top1"])
    assert run.data.metrics["test/clip_top1"] == pytest.approx(told["metrics"]["test/clip_top1"])
    assert run.data.params["encoder.width"] == "4"
    assert {key: run.data.tags[key] for key in ("task", "init", "data", "encoder", "width", "who")} == {
        **{"task": "classify", "init": "random", "data": "demo", "encoder": "C3DEncoder", "width": "width 4"},
        "who": "me",
    }
    assert "partial_test" not in run.data.tags
    artifacts = {entry.path for entry in client.list_artifacts(run.info.run_id)}
    assert artifacts == {"config.yaml", "summary.json", "gallery"}
    assert [entry.path for entry in client.list_artifacts(run.info.run_id, "gallery")] == ["gallery/confusion.png"]
    place = Path(client.download_artifacts(run.info.run_id, "summary.json"))
    assert json.loads(place.read_text()) == told


def test_a_run_that_goes_on_has_every_step_once(store, monkeypatch):
    asked = settings(store, "logger=mlflow", "task=classify", "name=run")
    asked += ["trainer.max_epochs=3", "callbacks.last.minutes=null"]  # saved at every epoch's start
    end_at(monkeypatch, Moment("on_train_epoch_start", 2))  # the second epoch is told, and not saved
    with pytest.raises(Killed):
        fbm("train", *asked)
    assert kept(Path("outputs/demo/run"))[1].info.status == "FAILED"
    assert fbm("train", *asked, "test=true") == 0  # a parameter that is another now
    client, run = kept(Path("outputs/demo/run"))
    assert run.info.status == "FINISHED"
    for name in ("val/loss", "train/loss"):
        assert [metric.step for metric in client.get_metric_history(run.info.run_id, name)] == [1, 3, 5]


def test_a_failed_run_is_told_to_have_failed(store, monkeypatch):
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fbm("train", *settings(store, "logger=mlflow", "task=classify", "name=run"))
    assert kept(Path("outputs/demo/run"))[1].info.status == "FAILED"


def test_without_mlflow_the_extra_is_named(store, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert fbm("train", *settings(store, "logger=mlflow", "task=classify")) == 1
    assert only_error(capsys.readouterr().err).endswith("pip install fbm-video[mlflow]")


def test_examining_the_config_makes_no_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert check_config("logger", "mlflow") is None
    assert list(tmp_path.iterdir()) == []
