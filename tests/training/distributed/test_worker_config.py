"""What ranks are given."""

from pathlib import Path

from omegaconf import OmegaConf

from fbm.config.compose import compose
from fbm.runs.folder import Run
from fbm.training.distributed.worker_config import WorkerConfig
from fbm.training.train import train
from tests.runs.summaries import run_summary
from tests.tiny import settings


def test_a_run_is_the_same_in_a_rank(store, tmp_path):
    run = Run(
        tmp_path, run_summary(metrics={"val/loss": float("inf")}), start_from=Path("a/last.ckpt"), own_checkpoint=True
    )
    sent = WorkerConfig.create(train, compose(settings(store)), run, "id")
    assert WorkerConfig.from_json(sent.to_json(), is_main_process=True) == sent
    received = WorkerConfig.from_json(sent.to_json(), is_main_process=False)
    assert not received.run.is_main_process
    assert received.train == "fbm.training.train:train"


def test_only_hydras_interpolations_are_resolved(store, tmp_path, monkeypatch):
    """The others may differ between machines."""
    monkeypatch.setenv("STORE", str(store))
    config = compose([*settings(store), "data.store=${oc.env:STORE}"])
    given = OmegaConf.create(WorkerConfig.create(train, config, Run(tmp_path), "id").config)
    assert "${oc.env:STORE}" in str(OmegaConf.to_container(given))
    monkeypatch.setenv("STORE", "/elsewhere")
    assert given.data.store == "/elsewhere"
    assert given.run_dir == config.run_dir
