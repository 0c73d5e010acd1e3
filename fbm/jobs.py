"""What the Hydra applications do with a composed config. Imports come late: `--help` must not wait for torch."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from fbm.errors import UserError


def train_job(config: DictConfig) -> float | None:
    """`fbm train`: one run; gives the monitored metric, which a sweeper may optimise."""
    from fbm.train import train

    return train(config)


def prepare_job(config: DictConfig) -> None:
    """`fbm prepare`: bring the store up to what the data set and the mask source say.

    Raises:
        UserError: also where listed videos are broken or missing, unless data.skip_broken=true; the others are stored.
    """
    from fbm.config import build, check

    check(config, ("data.source", "data.generate", "masks.source"))
    if config.data.generate is not None:
        build(config.data.generate)
    from fbm.data.prepare import prepare

    prepared = prepare(
        build(config.data.source),
        build(config.masks.source) if config.masks.source is not None else None,
        config.masks.name,
        Path(config.data.store),
        config.data.size,
        config.prepare.workers,
        config.prepare.timeout,
    )
    manifest = prepared.manifest
    for video in manifest.broken:
        print(f"{video.status}: {video.name}: {video.reason}")
    print(_summary(manifest, prepared.worked_on, config.data.store))
    if manifest.broken and not config.data.skip_broken:
        raise UserError(
            f"{len(manifest.broken)} of {len(manifest.videos)} videos cannot be used (named above; the others are "
            "stored): mend them and prepare again, or leave them out with data.skip_broken=true"
        )


def _summary(manifest: Any, worked_on: int, store: str) -> str:  # noqa: ANN401 - importing its type takes time
    whole = [video for video in manifest.videos if video.ok]
    counts = ", ".join(f"{sum(v.split == split for v in whole)} {split}" for split in ("train", "val", "test"))
    masked = sum(video.masked_frames > 0 for video in whole)
    did = f"{worked_on} prepared now" if worked_on else "nothing to do"
    return (
        f"{store}: {did}; {len(whole)} videos ({counts}), {sum(v.frames for v in whole):,} frames of "
        f"{manifest.size} x {manifest.size}, {masked} videos with masks from {manifest.masks}, "
        f"{len(manifest.broken)} not usable, fingerprint {manifest.fingerprint}"
    )
