"""What Disentangle measures on val and test beside its losses."""

import math
import warnings
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from fbm.data.batch import ClipBatch
from fbm.models.disentangler import Reconstruction
from fbm.models.encoder import C3DEncoder
from fbm.models.losses import LossWeights, feature_loss, foreground_loss, mask_loss, truth
from fbm.tasks import Disentangle
from fbm.tasks.frames import any_frame_of, sample_target_frames
from fbm.tasks.quality import ReconstructionQuality, psnr
from tests.tasks.test_task import ADAM

LOSSES = {"loss", "first_foreground", "first_background", "last_foreground", "features", "reconstruction"}


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


def evaluate(task: Disentangle, clips: ClipBatch, split: str, *parts: list[int]) -> dict[str, float]:
    """One epoch in batches of these samples; without any, of all of them in two of unequal size."""
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    batches: Any = [some(clips, *part) for part in parts or ([0], [1, 2, 3, 4])]
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
        terms = task.loss_terms(clips)
    quality = ReconstructionQuality()
    quality.update(made, truth(clip, masks), masks)
    expected = {name: float(metric.compute()) for name, metric in quality.named().items()}
    expected |= {name: float(value) for name, value in terms.items()}
    assert {name.removeprefix(f"{split}/") for name in found} == {*LOSSES, *quality.named()}
    assert {name.removeprefix(f"{split}/"): value for name, value in found.items()} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("adversarial", [0, 0.5])
def test_predicted_masks_add_their_weighted_loss(clips, adversarial):
    torch.manual_seed(0)
    task = Disentangle(C3DEncoder(4, 8, 32), ADAM, weights=LossWeights(masks=0.25), adversarial=adversarial).eval()
    clip, masks = task.inputs(clips)
    with torch.no_grad():
        terms, logits = task.loss_terms(clips), task.network(clip).mask_logits
    assert logits is not None
    assert float(terms["masks"]) == pytest.approx(float(mask_loss(logits, masks[:, [0, -1]])), rel=1e-4)
    total = terms["reconstruction"] + terms["features"] + 0.25 * terms["masks"]
    if adversarial:
        total = total + adversarial * terms["adversarial"]
    assert float(terms["loss"]) == pytest.approx(float(total), rel=1e-4)
    assert "val/masks" in evaluate(task, clips, "val")


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
        assert found[f"val/sharpness_{picture}"] > 60
        assert found[f"val/edges_{picture}"] == pytest.approx(1, abs=1e-3)
    assert found["val/iou_first_foreground"] > 0.97
    assert found["val/iou_last_foreground"] > 0.97


def test_training_measures_no_quality(task, clips, monkeypatch):
    logged: list[str] = []
    monkeypatch.setattr(task, "log", lambda name, *_, **__: logged.append(name))
    task.training_step(clips, 0)
    assert set(logged) == {f"train/{name}" for name in LOSSES}


@pytest.fixture(scope="module")
def conditional_target() -> Disentangle:
    torch.manual_seed(0)
    return Disentangle(C3DEncoder(4, 8, 32), ADAM, target="random", seed=3)


def test_a_random_frame_is_learnt_with_its_own_masks(conditional_target, clips, monkeypatch):
    """Held against the truth of another frame, or by another frame's mask, the loss would be another."""
    assert conditional_target.mask_frames is None
    clip, masks = conditional_target.inputs(clips)
    masks = masks.clone()
    masks[:, 3, 16:] = 0  # the foreground is cut in half in one frame
    asked = torch.full((5,), 3)
    monkeypatch.setattr("fbm.tasks.disentangle.sample_target_frames", lambda *_: asked)
    batch = clips._replace(masks=masks.byte())
    with torch.no_grad():
        losses = conditional_target.eval().loss_terms(batch)
        made = conditional_target.network(clip, asked).reconstruction.last_foreground
        target = conditional_target.network.foreground_feature_target(clip, asked)
    expected = foreground_loss(made, clip[:, :, 3], masks[:, 3])
    torch.testing.assert_close(losses["last_foreground"], expected)
    torch.testing.assert_close(
        losses["features"], feature_loss(conditional_target.network(clip, asked).last_foreground_features, target)
    )


def test_of_a_random_frame_its_own_mask_is_predicted(clips, monkeypatch):
    torch.manual_seed(0)
    task = Disentangle(C3DEncoder(4, 8, 32), ADAM, target="random", weights=LossWeights(masks=1)).eval()
    asked = torch.full((5,), 3)
    monkeypatch.setattr("fbm.tasks.disentangle.sample_target_frames", lambda *_: asked)
    masks = clips.masks.clone()
    masks[:, 3, 16:] = 0  # the foreground is cut in half in one frame
    batch = clips._replace(masks=masks)
    clip, masks = task.inputs(batch)
    with torch.no_grad():
        found, logits = task.loss_terms(batch)["masks"], task.network(clip, asked).mask_logits
    assert logits is not None
    torch.testing.assert_close(found, mask_loss(logits, masks[:, [0, 3]]))
    assert not torch.allclose(found, mask_loss(logits, masks[:, [0, -1]]))


def test_frames_are_drawn_by_seed_epoch_and_sample(conditional_target, clips, monkeypatch):
    drawn: list[tuple[int, int, list[int], int]] = []

    def draw(seed, epoch, sample, frames):
        drawn.append((seed, epoch, sample.tolist(), frames))
        return sample_target_frames(seed, epoch, sample, frames)

    monkeypatch.setattr("fbm.tasks.disentangle.sample_target_frames", draw)
    conditional_target.loss_terms(clips)
    assert drawn == [(3, 0, [0, 1, 2, 3, 4], 8)]


def test_val_asks_for_the_last_frame_and_for_any(conditional_target, clips):
    found = evaluate(conditional_target, clips, "val")
    clip, masks = conditional_target.inputs(clips)
    with torch.no_grad():
        last = conditional_target.eval().network(clip).reconstruction
        asked = any_frame_of(clips.sample, 8)
        made = conditional_target.network(clip, asked).reconstruction.last_foreground
    true = torch.stack([clip[row, :, frame] * masks[row, frame] for row, frame in enumerate(asked)])
    assert found["val/last_foreground"] == pytest.approx(
        float(foreground_loss(last.last_foreground, clip[:, :, -1], masks[:, -1])), rel=1e-4
    )
    assert found["val/psnr_any_foreground"] == pytest.approx(float(psnr(made, true).mean()), rel=1e-4)


def test_any_frame_is_measured_where_it_has_a_mask(conditional_target, clips):
    asked = any_frame_of(clips.sample, 8)
    masks = clips.masks.clone()
    for row in (0, 3):
        masks[row, asked[row]] = 0
    found = evaluate(conditional_target, clips._replace(masks=masks), "val")
    without = evaluate(conditional_target, clips, "val", [1], [2, 4])
    assert found["val/psnr_any_foreground"] == pytest.approx(without["val/psnr_any_foreground"], rel=1e-5)
    assert math.isnan(evaluate(conditional_target, clips._replace(masks=masks * 0), "val")["val/psnr_any_foreground"])


def test_a_strip_shows_the_foreground_in_all_frames(conditional_target, task, clips):
    strip = conditional_target.eval().frame_strip(clips)
    assert task.frame_strip(clips) is None
    assert strip is not None
    assert strip.titles == tuple("12345678")
    assert strip.true.shape == strip.reconstructed.shape == (5, 8, 3, 32, 32)
    clip, masks = conditional_target.inputs(clips)
    assert torch.equal(strip.true[:, 5], clip[:, :, 5] * masks[:, 5, None])
    with torch.no_grad():
        made = conditional_target.network(clip, torch.full((5,), 5)).reconstruction
    torch.testing.assert_close(strip.reconstructed[:, 5], made.last_foreground)
    torch.testing.assert_close(strip.reconstructed[:, 0], made.first_foreground)
