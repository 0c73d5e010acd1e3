"""Targets that an earlier fbm called otherwise: configs of a user's own get a hint, and fingerprints stay valid."""

from collections.abc import Mapping
from typing import Any

NOW = {
    "fbm.callbacks.Carry": "fbm.training.callbacks.CheckpointMetadata",
    "fbm.callbacks.ConfusionPicture": "fbm.training.callbacks.ConfusionPicture",
    "fbm.callbacks.Finite": "fbm.training.callbacks.NonFiniteGuard",
    "fbm.callbacks.Gallery": "fbm.training.callbacks.Gallery",
    "fbm.callbacks.OnlineProbes": "fbm.training.callbacks.OnlineProbes",
    "fbm.callbacks.ResumePoint": "fbm.training.callbacks.PreemptionCheckpoint",
    "fbm.callbacks.Throughput": "fbm.training.callbacks.Throughput",
    "fbm.data.folders.Folders": "fbm.data.datasets.folders.Folders",
    "fbm.data.ucf101.UCF101": "fbm.data.datasets.ucf101.UCF101",
    "fbm.loggers.csv.CSVLogger": "fbm.training.loggers.csv.CSVLogger",
    "fbm.loggers.mlflow.MLflowLogger": "fbm.training.loggers.mlflow.MLflowLogger",
    "fbm.loggers.tensorboard.TensorBoardLogger": "fbm.training.loggers.tensorboard.TensorBoardLogger",
    "fbm.loggers.wandb.WandbLogger": "fbm.training.loggers.wandb.WandbLogger",
    "fbm.losses.LossWeights": "fbm.models.losses.LossWeights",
    "fbm.masks.boxes.BoxMasks": "fbm.data.masks.boxes.BoxMasks",
    "fbm.masks.files.FileMasks": "fbm.data.masks.files.FileMasks",
    "fbm.masks.unsupervised.UnsupervisedMasks": "fbm.data.masks.unsupervised.UnsupervisedMasks",
    "fbm.tasks.adversarial.Adversary": "fbm.tasks.adversarial.PatchGANLoss",
}
FORMER = {now: former for former, now in NOW.items()}


def with_targets(settings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Dotted settings with every `_target_` named as in `names` (`NOW` or `FORMER`)."""
    return {key: names.get(value, value) if key.endswith("_target_") else value for key, value in settings.items()}


def renamed(config: Any) -> Any:
    """A config of nested dicts and lists with every `_target_` under its present name."""
    if isinstance(config, dict):
        return {
            key: NOW.get(value, value) if key == "_target_" and isinstance(value, str) else renamed(value)
            for key, value in config.items()
        }
    return [renamed(value) for value in config] if isinstance(config, list) else config
