"""The jobs of the Hydra applications. Imports are late, so that `--help` does not wait for torch."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from fbm.utils.errors import UserError
from fbm.utils.messages import first_names, list_faults

if TYPE_CHECKING:
    from fbm.data.store.prepare import Prepared

NAMED = 20  # videos that are listed, of each status


def train_job(config: DictConfig) -> float | None:
    """`fbm train`: one run; returns the monitored metric, which a sweeper may optimise."""
    from fbm.training.launch import run_training

    if config.test and _searches():
        raise UserError("a search may not touch the test split: leave test=false, and test what it found afterwards")
    return run_training(config)


def _searches() -> bool:
    """Whether this job is a trial of a sweeper that uses earlier results."""
    from hydra.core.hydra_config import HydraConfig

    return HydraConfig.initialized() and "optuna" in HydraConfig.get().sweeper._target_.lower()


def prepare_job(config: DictConfig) -> None:
    """`fbm prepare`: update the store to the data set and the mask source, alone or as one or all of several shards.

    Raises:
        UserError: also if listed videos are broken or missing, unless data.skip_broken=true; the others are stored.
    """
    from fbm.cli.shards import check_shards, prepare_by_launcher, prepare_config
    from fbm.config.instantiate import check
    from fbm.config.overrides import expand_home

    expand_home(config)
    check(config, ("data.source", "data.generate", "masks.source"))
    _check_settings(config)
    check_shards(config)
    if config.prepare.shards is not None and config.prepare.shard is None:
        _report(prepare_by_launcher(config), config)
    elif (prepared := prepare_config(config).prepared) is not None:
        _report(prepared, config)


def _report(prepared: "Prepared", config: DictConfig) -> None:
    """Print what the store holds; UserError as for `prepare_job`."""
    manifest = prepared.manifest
    for line in _named(manifest.excluded, config.data.store):
        print(line)
    refused = not config.data.skip_broken
    which = list_faults(list(_named(manifest.broken, config.data.store)), refused=refused)
    for line in (*_named(manifest.partly_masked, config.data.store, "partly used"), *prepared.left_over):
        print(line)
    print(_summary(manifest, prepared.worked_on, config.data.store))
    if short := sum(video.ok and video.frames < config.data.chunk_frames for video in manifest.videos):
        print(f"{short} videos have fewer than data.chunk_frames={config.data.chunk_frames} frames: they give no clips")
    for name in manifest.classes_without_clips(config.data.chunk_frames):
        print(f"no clip has the class {name}: `fbm train data.empty_classes=leave_out` takes it from the labels")
    if manifest.broken and refused:
        raise UserError(
            f"{len(manifest.broken)} of {len(manifest.videos)} videos cannot be used{which}; the others are stored: "
            "fix them and prepare again, or leave them out with data.skip_broken=true"
        )
    if not any(video.ok for video in manifest.videos):
        raise UserError(f"none of the {len(manifest.videos)} videos can be used, for the reasons above")


def _check_settings(config: DictConfig) -> None:
    """Check the settings of `fbm prepare` that are in no target's signature."""
    data, workers, timeout = config.data, config.prepare.workers, config.prepare.timeout
    if not isinstance(data.store, str) or not data.store:
        raise UserError(f"data.store={data.store}: it should be the folder of the frame store")
    if not isinstance(data.size, int) or data.size < 1:
        raise UserError(f"data.size={data.size}: it should be a whole number of pixels, at least 1")
    for key, value in (("data.skip_broken", data.skip_broken), ("prepare.drop_classes", config.prepare.drop_classes)):
        if not isinstance(value, bool):
            raise UserError(f"{key}={value}: it should be true or false")
    if data.source is None:
        raise UserError("data=store is for fbm train, which reads a finished store: choose a data set to prepare")
    if config.masks.source is None and config.masks.name != "none":
        raise UserError("masks=stored is for fbm train, which reads them from the store: choose where masks come from")
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise UserError(f"prepare.workers={workers}: it should be a whole number of at least 1, or null")
    if not isinstance(timeout, int | float) or timeout <= 0:
        raise UserError(f"prepare.timeout={timeout}: it should be a number of seconds above 0")


def _named(videos: list[Any], store: str, label: str = "") -> Iterator[str]:
    """A line for each video that is not used; of many with the same status the first ones and their number, and one
    line for those that are missing.

    Args:
        label: replaces the status.
    """
    for status in sorted({video.status for video in videos}):
        faulty = [video for video in videos if video.status == status]
        if status == "missing":
            yield f"missing: {len(faulty)} listed videos are not there: {first_names([v.name for v in faulty])}"
            continue
        yield from (f"{label or status}: {video.name}: {video.reason}" for video in faulty[:NAMED])
        if len(faulty) > NAMED:
            yield f"{label or status}: {len(faulty) - NAMED} more, each with its reason in {store}/manifest.json"


def _summary(manifest: Any, worked_on: int, store: str) -> str:
    whole = [video for video in manifest.videos if video.ok]
    counts = ", ".join(f"{sum(v.split == split for v in whole)} {split}" for split in ("train", "val", "test"))
    masked = sum(video.masked_frames > 0 for video in whole)
    faults = Counter(video.status for video in manifest.excluded)
    left_out = "".join(f"{count} left out as {status}, " for status, count in sorted(faults.items()))
    progress = f"{worked_on} prepared now" if worked_on else "nothing to do"
    return (
        f"{store}: {progress}; {len(whole)} videos ({counts}), {sum(v.frames for v in whole):,} frames of "
        f"{manifest.size} x {manifest.size}, {masked} videos with masks from {manifest.masks}, "
        f"{len(manifest.broken)} not usable, {left_out}fingerprint {manifest.fingerprint}"
    )
