"""Small trainings that are watched, alone or on ranks, so that two of them can be compared."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from fbm.data.batch import ClipBatch
from fbm.data.datamodule import ClipDataModule
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.store.manifest import MANIFEST, Manifest, read_manifest
from fbm.tasks.task import Task
from fbm.training.callbacks import OnlineProbes, Throughput
from fbm.utils.files import write_text
from tests.tiny import SIZE, make_store

CHUNK, CLIP = 11, 8  # frames: three chunks a video


def uneven_store(root: Path) -> Path:
    """54 training, 15 validation and 21 test clips."""
    make_store(root)
    old = read_manifest(root)
    tests = [video for video in old.videos if video.split == "test"]
    gone = {video.name for video in [*tests[:5], next(video for video in old.videos if video.split == "val")]}
    kept = [video for video in old.videos if video.name not in gone]
    write_text(root / MANIFEST, Manifest(old.size, old.masks, old.selection, kept).to_json())
    return root


def data_of(store: Path, batch: int = 8, workers: int = 0) -> ClipDataModule:
    """A store's clips of eight frames."""
    return ClipDataModule(store, SIZE, "boxes", UCF101(None), False, CHUNK, CLIP, 1.0, batch, workers, seed=0)


class Watch(pl.Callback):
    """What was learnt from, measured and logged."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.evaluated: dict[str, list[int]] = {"val": [], "test": []}
        self.epochs: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: ClipBatch, batch_idx: int) -> None:
        self.steps.append(batch.sample.tolist())

    def on_validation_epoch_start(self, *_: Any) -> None:
        self.evaluated["val"] = []

    def on_validation_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: ClipBatch, *_: Any) -> None:
        self.evaluated["val"] += batch.sample[batch.counted].tolist()

    def on_test_batch_end(self, trainer: Any, task: Any, outputs: Any, batch: ClipBatch, *_: Any) -> None:
        self.evaluated["test"] += batch.sample[batch.counted].tolist()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.epochs.append(logged(trainer))


def logged(trainer: pl.Trainer) -> dict[str, float]:
    """All that was logged and is no time."""
    return {name: float(value) for name, value in trainer.callback_metrics.items() if not name.startswith("time/")}


def trainer_of(ranks: int, **options: Any) -> pl.Trainer:
    """A trainer of two epochs that writes nothing; with several ranks one of `on_ranks`."""
    silence_lightning = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary", "use_distributed_sampler"),
        False,
    )
    return pl.Trainer(
        accelerator="cpu",
        devices=ranks,
        strategy="ddp" if ranks > 1 else "auto",
        plugins=[LightningEnvironment()],
        **{**silence_lightning, "max_epochs": 2, "num_sanity_val_steps": 1, **options},
    )


def outcome(task: Task, store: Path, ranks: int, probes: bool = True, **options: Any) -> dict[str, Any]:
    """Train and test; plain values and tensors.

    Args:
        probes: measure the features in every epoch.
        options: the trainer's.
    """
    watch = Watch()
    callbacks = [watch, Throughput(), *[OnlineProbes(every=1, clips=9, neighbours=3)] * probes]
    trainer = trainer_of(ranks, callbacks=callbacks, **options)
    data = data_of(store)
    data.select_windows(task.windows)
    trainer.fit(task, data)
    trainer.test(task, data, verbose=False)
    return {
        **{"steps": watch.steps, "evaluated": watch.evaluated, "epochs": watch.epochs},
        **{"test": logged(trainer), "weights": task.state_dict(), "tested": task.test_artifacts},
    }


class Save(pl.Callback):
    """A checkpoint after so many steps, in the middle of whatever there is."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)


def fitted(
    task: Task, data: ClipDataModule, ranks: int, start: Path | None = None, save: Save | None = None
) -> dict[str, Any]:
    """Train for two epochs; plain values and tensors.

    Args:
        start: a checkpoint to go on from.
        save: makes one.
    """
    watch = Watch()
    trainer = trainer_of(ranks, callbacks=[watch, Throughput(), *[save] * bool(save)], num_sanity_val_steps=0)
    trainer.fit(task, data, ckpt_path=start, weights_only=True)
    return {"steps": watch.steps, "epochs": watch.epochs, "weights": task.state_dict()}


def exact(task: Task) -> Task:
    """A task that reckons in double: what rounding there is, norm after norm makes large in a few steps."""
    single = task.inputs
    task.inputs = lambda batch: tuple(tensor.double() for tensor in single(batch))  # type: ignore[assignment,method-assign,return-value]
    return task.double()
