"""The trainer's data module, typed."""

import pytorch_lightning as pl

from fbm.data.datamodule import ClipDataModule


def clip_data(trainer: pl.Trainer | None) -> ClipDataModule | None:
    """The trainer's data module if it is fbm's; None without one, as in a fit on a plain loader."""
    data = getattr(trainer, "datamodule", None)  # Lightning sets it without declaring it
    return data if isinstance(data, ClipDataModule) else None
