"""Targets that an earlier fbm called otherwise: configs of a user's own get a hint, and fingerprints stay valid."""

NOW = {
    **{f"fbm.callbacks.{name}": f"fbm.training.callbacks.{name}" for name in ("ConfusionPicture", "Gallery")},
    **{f"fbm.callbacks.{name}": f"fbm.training.callbacks.{name}" for name in ("OnlineProbes", "Throughput")},
    "fbm.callbacks.Carry": "fbm.training.callbacks.CheckpointMetadata",
    "fbm.callbacks.Finite": "fbm.training.callbacks.NonFiniteGuard",
    "fbm.callbacks.ResumePoint": "fbm.training.callbacks.PreemptionCheckpoint",
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
