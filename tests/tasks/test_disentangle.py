"""What Disentangle measures on val and test beside its losses."""

import warnings
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from fbm.batch import ClipBatch
from fbm.losses import truth
from fbm.models.disentangler import Reconstruction
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Disentangle
from fbm.tasks.metrics import ReconstructionQuality
from tests.tasks.test_task import ADAM

LOSSES = {"loss", "first_foreground", "first_background", "last_foreground", "features"}


@pytest.fixture(scope="module")
def task() -> Disentangle:
    torch.manual_seed(0)
    return Disentangle(C3DEncoder(4, 8, 32), ADAM)


@pytest.fixture(scope="module")
def clips() -> ClipBatch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (5, 8, 32, 32, 3), dtype=torch.uint8, generator=generator)
    masks = torch.zeros(5, 8, 32, 32, dtype=torch.uint8)
    masks[:, :, 8:24, 8:24] = 1
    five = torch.arange(5)
    return ClipBatch(frames, masks, label=five, video=five, sample=five, counted=torch.ones(5).bool())


def some(clips: ClipBatch, *samples: int) -> ClipBatch:
    return ClipBatch(*(field[list(samples)] for field in clips))


def evaluate(task: Disentangle, clips: ClipBatch, split: str) -> dict[str, float]:
    """One epoch in two batches of unequal size."""
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    batches: Any = [some(clips, 0), some(clips, 1, 2, 3, 4)]
    loader: DataLoader[ClipBatch] = DataLoader(batches, batch_size=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = trainer.validate if split == "val" else trainer.test
        return dict(run(task, loader, verbose=False)[0])


@pytest.mark.parametrize("split", ["val", "test"])
def test_losses_and_quality_are_means_over_all_clips(task, clips, split):
    found = evaluate(task, clips, split)
    clip, masks = task.inputs(clips)
    with torch.no_grad():
        made = task.eval().network(clip).reconstruction
        terms = task.terms(clips)
    quality = ReconstructionQuality()
    quality.update(made, truth(clip, masks), masks)
    expected = {name: float(metric.compute()) for name, metric in quality.named().items()}
    expected |= {name: float(value) for name, value in terms.items()}
    assert {name.removeprefix(f"{split}/") for name in found} == {*LOSSES, *quality.named()}
    assert {name.removeprefix(f"{split}/"): value for name, value in found.items()} == pytest.approx(expected, rel=1e-4)


def test_a_perfect_reconstruction_is_measured_as_one(task, clips, monkeypatch):
    """The truth given back: nothing but the metrics decides what is said of it."""
    out = task.network(task.inputs(clips)[0])

    def perfect(clip):
        masks = clips.masks[: len(clip)].float()  # all clips have the same
        return out._replace(
            reconstruction=Reconstruction(*(frames + 1e-3 for frames in truth(clip, masks))),
            last_foreground_features=out.last_foreground_features[: len(clip)],
        )

    monkeypatch.setattr(task.network, "forward", perfect)
    found = evaluate(task, clips, "val")
    for picture in Reconstruction._fields:
        assert found[f"val/psnr_{picture}"] == pytest.approx(66, abs=0.1)  # 10 log10(2² / 0.001²)
        assert found[f"val/ssim_{picture}"] > 0.99
    assert found["val/iou_first_foreground"] > 0.97
    assert found["val/iou_last_foreground"] > 0.97


def test_training_measures_no_quality(task, clips, monkeypatch):
    logged: list[str] = []
    monkeypatch.setattr(task, "log", lambda name, *_, **__: logged.append(name))
    task.training_step(clips, 0)
    assert set(logged) == {f"train/{name}" for name in LOSSES}
