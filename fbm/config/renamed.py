"""What an earlier fbm called otherwise or had no setting for, so that its runs stay what they are."""

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
# Settings that were added later, with the values that runs had without them: they count as missing, so that
# fingerprints of earlier runs stay valid.
ADDED = {
    "float32_matmul": None,
    "augment": None,
    "input": "frames",
    "base_batch": None,
    "data.frames": "raw",
    "data.module.frames": "raw",
    "data.quality": None,
    "data.module.quality": None,
    "data.decoder": "pyav",
    "data.module.decoder": "pyav",
    "data.reverse": True,
    "data.module.reverse": True,
    "data.frame_interval": 1,
    "data.module.frame_interval": 1,
    "data.empty_classes": None,
    "data.module.empty_classes": None,
    "masks.source.misfits": None,
    "masks.least_confidence": 0,
    "data.module.least_confidence": 0,
    "test_views.clips": None,
    "test_views.crops": 1,
    "data.module.test_clips": None,
    "task.crops": 1,
    "task.weights._target_": "fbm.models.losses.LossWeights",
    "task.weights.first_foreground": 1,
    "task.weights.first_background": 1,
    "task.weights.last_foreground": 1,
    "task.weights.features": 1,
    "task.weights.masks": 0,
}


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


def without_added(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted key, without those that have the value that runs had before there was such a setting."""
    present = with_targets(settings, NOW)
    return {key: value for key, value in settings.items() if key not in ADDED or present[key] != ADDED[key]}


def setting(settings: Mapping[str, Any], key: str) -> Any:
    """A setting by its dotted key; where it is missing, the value that runs had before there was such a setting."""
    return settings.get(key, ADDED.get(key))
