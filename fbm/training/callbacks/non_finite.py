"""Stop at a loss that is not finite, before it reaches the weights or a checkpoint."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset
from fbm.runs.files import BAD_BATCH, BEST, CHECKPOINTS, LAST
from fbm.tasks.task import Task
from fbm.training.callbacks.clip_data import clip_data
from fbm.utils.errors import UserError
from fbm.utils.files import write_text

ADVICE = "look at the clips, lower optim.lr, or set trainer.gradient_clip_val"


class BatchPosition(NamedTuple):
    """Epoch, batch and optimiser step, counted from 0 as in metrics.csv."""

    epoch: int
    batch: int
    step: int

    def __str__(self) -> str:
        return f"step {self.batch + 1} of epoch {self.epoch + 1}"


class Step(NamedTuple):
    """A training step whose losses are to be checked: now, or on a GPU together with the next step."""

    place: BatchPosition
    samples: tuple[Tensor, ...]  # of this batch and the one before
    terms: dict[str, Tensor]
    finite: Tensor  # a bool on the CPU, valid once `copied`
    copied: "torch.cuda.Event | None"


class NonFiniteGuard(pl.Callback):
    """Stops at the first training loss, or loss term, that is not finite; such weights are never saved.

    All that the last checkpoint holds was finite. Losses on a GPU are checked one step later, so that the program never
    waits for it; `flush` checks them at once.

    Args:
        folder: the run folder; `bad_batch.json` in it will name the batch's clips.

    Raises:
        UserError: from the hooks and from `flush`; names the terms, the step, the clips and the last good checkpoint.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._trainer: pl.Trainer | None = None
        self._step: Step | None = None
        self._samples: tuple[Tensor, ...] = ()
        self._place = BatchPosition(0, 0, 0)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._trainer = trainer

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: ClipBatch, batch_idx: int
    ) -> None:
        self._samples = (batch.sample, *self._samples[:1])
        self._place = BatchPosition(trainer.current_epoch, batch_idx, trainer.global_step)

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        assert isinstance(pl_module, Task)
        self.flush()
        terms = pl_module.last_losses or {"loss": loss.detach()}
        self._step = Step(self._place, self._samples, terms, *_all_finite(terms))
        if self._step.copied is None:
            self.flush()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.flush()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.flush()
        loss = trainer.callback_metrics.get("val/loss")
        if loss is not None and not loss.isfinite():
            raise UserError(
                f"val/loss is {float(loss)} after epoch {trainer.current_epoch + 1}, with finite training losses; "
                f"{self._last_good()}; lower optim.lr, or set trainer.gradient_clip_val"
            )

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.flush()
        bad = not_finite(checkpoint["state_dict"])
        if bad:
            path = self._write(self._place, self._samples, bad)
            raise UserError(
                f"the weights are not finite after {self._place} (first {bad[0]}), and not saved: the loss was finite, "
                f"its gradient was not; the last clips are in {path}; {self._last_good()}; {ADVICE}"
            )

    def flush(self) -> None:
        """Check the losses that were not checked yet."""
        step, self._step = self._step, None
        if step is None:
            return
        if step.copied is not None:
            step.copied.synchronize()
        if not step.finite:
            self._stop(step)

    def _stop(self, step: Step) -> None:
        values = {name: float(value) for name, value in step.terms.items()}
        bad = [name for name, value in step.terms.items() if not value.isfinite()]
        path = self._write(step.place, step.samples, bad)
        named = ", ".join(f"{name} is {values[name]}" for name in bad)
        raise UserError(
            f"the loss is not finite in {step.place} ({named}); the batch's clips are in {path}; {self._last_good()}; "
            f"{ADVICE}"
        )

    def _last_good(self) -> str:
        paths = [self.folder / CHECKPOINTS / name for name in (LAST, BEST)]
        best = getattr(self._trainer and self._trainer.checkpoint_callback, "best_model_path", "")
        # The best checkpoint may be in memory still: it is written when this error ends the training.
        kept = [path for path in paths if path.is_file() or (best and path.resolve() == Path(best).resolve())]
        return f"the last good checkpoint is {kept[0]}" if kept else "no checkpoint was written before"

    def _write(self, place: BatchPosition, samples: tuple[Tensor, ...], bad: list[str]) -> Path:
        """Write the names of the clips; gives the file."""
        rank = 0 if self._trainer is None else self._trainer.global_rank
        path = self.folder / f"{BAD_BATCH}{f'-{rank}' if rank else ''}.json"
        data = clip_data(self._trainer)
        clips = data.clips["train"] if data else None
        batches = dict(zip(("clips", "clips_before"), samples, strict=False))
        named = {name: [_named(clips, sample) for sample in batch.tolist()] for name, batch in batches.items()}
        write_text(path, json.dumps({**place._asdict(), "not_finite": bad, **named}, indent=1) + "\n")
        return path


def not_finite(weights: dict[str, Any]) -> list[str]:
    """Names of the tensors with a value that is not finite, in one transfer from the device."""
    floats = {name: value for name, value in weights.items() if isinstance(value, Tensor) and value.is_floating_point()}
    if not floats:
        return []
    fine = torch.stack([value.isfinite().all() for value in floats.values()]).tolist()
    return [name for name, whole in zip(floats, fine, strict=True) if not whole]


def _all_finite(terms: dict[str, Tensor]) -> tuple[Tensor, "torch.cuda.Event | None"]:
    """Whether all are finite, and the event after which that is known (None: now)."""
    fine = torch.stack([value.isfinite().all() for value in terms.values()]).all()
    if fine.device.type != "cuda":
        return fine.cpu(), None
    arrived = torch.empty((), dtype=torch.bool, pin_memory=True).copy_(fine, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()
    return arrived, copied


def _named(clips: ClipDataset | None, sample: int) -> dict[str, Any]:
    if clips is None:
        return {"sample": sample}
    number, start = clips.samples[sample]
    return {"sample": sample, "video": clips.videos[number].name, "chunk_start": start}
