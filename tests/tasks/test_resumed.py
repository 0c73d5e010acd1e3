"""A run that is left in the middle of an epoch and goes on: the same samples, weights and training metrics."""

from functools import partial
from pathlib import Path

import pytest
import torch

from fbm.models.encoder import C3DEncoder
from fbm.tasks import Classify
from fbm.tasks.task import EPOCH
from tests.tasks.training import Save, data_of, fitted, trainer_of, uneven_store

pytestmark = pytest.mark.slow

SGD = partial(torch.optim.SGD, lr=1e-3)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return uneven_store(tmp_path_factory.mktemp("resumed") / "store")


def task() -> Classify:
    torch.manual_seed(0)
    return Classify(C3DEncoder(4, 8, 32), SGD, ["a", "b", "c"])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("step", [2, 9])
def test_goes_on_bit_by_bit(store, tmp_path, step, workers):
    """Six steps an epoch; loader processes ask for their first samples before Lightning tells them the epoch."""
    whole = fitted(task(), data_of(store, workers=workers), 1, save=Save(step, tmp_path / "saved"))
    gone_on = fitted(task(), data_of(store, workers=workers), 1, start=tmp_path / "saved")
    assert len(whole["steps"]) == 12
    assert gone_on["steps"] == whole["steps"][step:]
    assert gone_on["epochs"] == whole["epochs"][step // 6 :]
    assert all(torch.equal(gone_on["weights"][name], value) for name, value in whole["weights"].items())


def test_after_an_epochs_last_step_the_next_epoch_is_whole(store, tmp_path):
    whole = fitted(task(), data_of(store), 1, save=Save(6, tmp_path / "saved"))
    gone_on = fitted(task(), data_of(store), 1, start=tmp_path / "saved")
    assert gone_on["steps"] == whole["steps"][6:]


def test_what_was_measured_is_in_the_checkpoint_and_may_be_missing(store, tmp_path):
    whole = fitted(task(), data_of(store), 1, save=Save(3, tmp_path / "saved"))
    content = torch.load(tmp_path / "saved", weights_only=True)
    assert set(content[EPOCH]) >= {"train/loss.total", "train/loss.samples", "train/top1.tp"}
    assert content[EPOCH]["train/loss.samples"].tolist() == [24]
    del content[EPOCH]
    torch.save(content, tmp_path / "older")
    gone_on = fitted(task(), data_of(store), 1, start=tmp_path / "older")
    assert gone_on["steps"] == whole["steps"][3:]
    assert gone_on["epochs"][0]["train/loss"] != whole["epochs"][0]["train/loss"]
    assert gone_on["epochs"][1] == whole["epochs"][1]


def test_a_test_of_a_checkpoint_brings_no_training_metrics(store, tmp_path):
    fitted(task(), data_of(store), 1, save=Save(3, tmp_path / "saved"))
    tested = task()
    trainer_of(1).test(tested, data_of(store), ckpt_path=tmp_path / "saved", weights_only=True, verbose=False)
    assert int(tested.metric("train/loss").metric_state["samples"]) == 0  # type: ignore[arg-type]
