"""Losses and weights that are no numbers, in trainings that are as small as can be."""

import json

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from fbm.data.clips import SampleKey
from fbm.data.datamodule import ClipDataModule
from fbm.data.datasets.ucf101 import UCF101
from fbm.models.encoder import Encoder
from fbm.tasks.task import PretrainingTask
from fbm.training.callbacks import NonFiniteGuard, non_finite
from fbm.training.callbacks.non_finite import not_finite
from fbm.utils.errors import UserError
from tests.tiny import SIZE

STEPS = 9  # of an epoch: 18 clips, two at a time


class Weight(Encoder):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))


class Going(PretrainingTask):
    """Its loss goes wrong in a chosen training step, or its gradient, or its validation."""

    def __init__(self, wrong="", at=0):
        network = nn.Module()
        network.encoder = Weight()
        super().__init__(network, lambda groups: torch.optim.SGD(groups, lr=1e-3))
        self.wrong, self.at, self.steps_seen = wrong, at, 0

    def loss_terms(self, batch):
        clip = batch.frames.float().mean() / 255
        weight = next(self.network.parameters())
        one, two = (weight * clip).sum(), weight.sum()
        if self.training:
            if self.steps_seen == self.at and self.wrong in ("nan", "inf"):
                two = two * float(self.wrong)
            if self.steps_seen == self.at and self.wrong == "gradient":
                one = one + (weight - weight.detach()).sum().sqrt()  # 0, with slope infinity
            self.steps_seen += 1
        elif self.wrong == "val":
            two = two * float("nan")
        return {"loss": one + two, "one": one, "two": two}


@pytest.fixture
def data(store):
    return ClipDataModule(store, SIZE, "boxes", UCF101(None), False, 32, 16, 1.0, 2, 0, 0)


def train(data, folder, task, **more):
    """Two epochs with checkpoints after each; gives the trainer."""
    kept = pl.callbacks.ModelCheckpoint(folder / "checkpoints", "last", enable_version_counter=False)
    trainer = pl.Trainer(
        **{"accelerator": "cpu", "max_epochs": 2, "logger": False, "num_sanity_val_steps": 0, **more},
        callbacks=[NonFiniteGuard(folder), kept],
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(task, data)
    return trainer


def test_a_run_of_numbers_is_not_disturbed(data, tmp_path):
    task = Going()
    train(data, tmp_path, task)
    assert task.steps_seen == 2 * STEPS
    assert not list(tmp_path.glob("bad_batch*"))


@pytest.mark.parametrize("wrong", ["nan", "inf"])
def test_a_loss_that_is_no_number_stops_before_it_is_learnt_from(data, tmp_path, wrong):
    task = Going(wrong, at=STEPS + 3)
    with pytest.raises(UserError) as caught:
        train(data, tmp_path, task)
    text = str(caught.value)
    assert f"the loss is not finite in step 4 of epoch 2 (loss is {wrong}, two is {wrong})" in text
    assert f"the last good checkpoint is {tmp_path}/checkpoints/last.ckpt" in text
    assert "optim.lr" in text
    assert len(text.splitlines()) == 1
    assert not not_finite(task.state_dict())
    assert not not_finite(torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])


def test_a_task_that_does_not_tell_the_parts_is_judged_by_its_loss(data, tmp_path):
    class Silent(Going):
        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            self.last_losses = {}
            return loss

    with pytest.raises(UserError, match=r"in step 2 of epoch 1 .loss is nan.;"):
        train(data, tmp_path, Silent("nan", at=1))


def test_the_clips_of_the_batch_are_named(data, tmp_path):
    batches = [batch.sample.tolist() for batch in data.train_dataloader()]
    with pytest.raises(UserError, match=r"clips are in .*bad_batch.json; no checkpoint was written before"):
        train(data, tmp_path, Going("nan", at=1))
    told = json.loads((tmp_path / "bad_batch.json").read_text())
    assert (told["epoch"], told["batch"], told["step"]) == (0, 1, 1)
    assert told["not_finite"] == ["loss", "two"]
    assert [clip["sample"] for clip in told["clips"]] == batches[1]
    assert [clip["sample"] for clip in told["clips_before"]] == batches[0]
    clips = data.clips["train"]
    for clip in told["clips"]:
        assert clip["chunk_start"] == 0
        assert clip["video"] == clips.videos[int(clips[SampleKey(0, clip["sample"])].video)].name


def test_weights_spoilt_by_a_gradient_are_not_saved(data, tmp_path):
    task = Going("gradient", at=2 * STEPS - 1)  # the last step: no later loss shows it
    with pytest.raises(UserError, match=r"not finite after step 9 of epoch 2 .first network.encoder.weight."):
        train(data, tmp_path, task, limit_val_batches=0)
    assert not_finite(task.state_dict())
    assert not not_finite(torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])
    assert json.loads((tmp_path / "bad_batch.json").read_text())["not_finite"] == ["network.encoder.weight"]


def test_a_validation_that_is_no_number_is_not_the_end_of_a_good_run(data, tmp_path):
    with pytest.raises(UserError, match=r"val/loss is nan after epoch 1, with finite training losses"):
        train(data, tmp_path, Going("val"))
    assert not list(tmp_path.rglob("*.ckpt"))


class Late:
    """An event of a GPU that is not there yet when it is recorded."""

    def __init__(self):
        self.waited = 0

    def synchronize(self):
        self.waited += 1


@pytest.fixture
def late(monkeypatch):
    """What is known of a step comes later, as from a GPU; gives the events."""
    events = []
    real = non_finite._all_finite

    def look(terms):
        events.append(Late())
        return real(terms)[0], events[-1]

    monkeypatch.setattr(non_finite, "_all_finite", look)
    return events


def test_a_gpu_is_looked_at_one_step_later_and_never_waited_for_at_once(data, tmp_path, late):
    task = Going("nan", at=4)
    with pytest.raises(UserError, match="in step 5 of epoch 1"):
        train(data, tmp_path, task)
    assert task.steps_seen == 6
    assert [event.waited for event in late] == [1, 1, 1, 1, 1]  # the sixth step was not asked about


def test_a_gpus_last_step_is_looked_at_before_anything_is_saved(data, tmp_path, late):
    with pytest.raises(UserError, match="in step 9 of epoch 2"):
        train(data, tmp_path, Going("nan", at=2 * STEPS - 1))
    assert not not_finite(torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_real_gpu(data, tmp_path):
    task = Going("nan", at=4)
    with pytest.raises(UserError, match=r"in step 5 of epoch 1 .loss is nan, two is nan."):
        train(data, tmp_path, task, accelerator="gpu", devices=1)
    assert task.steps_seen in (5, 6)
