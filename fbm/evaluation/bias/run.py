"""Measuring runs on versions of their test clips, and writing `bias.json` after each version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fbm.data.clips import ClipDataset, clip_settings
from fbm.evaluation.bias.clips import VersionedClips
from fbm.evaluation.bias.draw import draw_versions
from fbm.evaluation.finished import CLASSIFICATION
from fbm.evaluation.probing.factors import groups
from fbm.evaluation.probing.features import BATCH
from fbm.evaluation.probing.intervals import Resampling, accuracy, accuracy_difference
from fbm.evaluation.probing.runs import store_of
from fbm.evaluation.probing.settings import Settings
from fbm.evaluation.trained_run import TrainedRun
from fbm.runs.bias import ORIGINAL, BiasReport, Version, read_bias
from fbm.runs.files import BIAS
from fbm.tasks.classify import Classify
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, checksum, write_text
from fbm.utils.progress import Advance, progress

FORMAT = 1  # of the measurement; results of another format are measured again
PICTURE = "gallery/bias.png"


@dataclass(frozen=True)
class MeasuredBias:
    """A run's folder, its report, and whether any of it was measured now."""

    folder: Path
    report: BiasReport
    fresh: bool


def measure_bias(runs: Sequence[TrainedRun], settings: Settings) -> list[MeasuredBias]:
    """All versions for all runs, in their order.

    Raises:
        UserError: a run or its store does not allow it.
    """
    made_of = {run.path: _made_of(run, settings) for run in runs}
    found: dict[Path, BiasReport | None] = {}
    for run in runs:
        found[run.path] = None if settings.overwrite else _earlier(run.path, made_of[run.path])
    unfinished = [run for run in runs if (report := found[run.path]) is None or report.missing]
    alike: dict[tuple[Any, ...], list[TrainedRun]] = {}
    for run in unfinished:
        data = run.config["data"]
        cut = tuple(clip_settings(data).values())
        key = (run.summary.fingerprints.data, *cut, tuple(run.summary.classes))
        alike.setdefault(key, []).append(run)
    for together in alike.values():
        clips = _clips(together[0], settings)
        measured = [_Measured(run, found[run.path], clips, made_of[run.path]) for run in together]
        _measure(measured, clips, Resampling(settings.resamples, settings.seed))
        found |= {one.run.path: one.report for one in measured}
    fresh = {run.path for run in unfinished}
    return [MeasuredBias(folder, report, folder in fresh) for folder, report in found.items() if report]


class _Measured:
    """A run with its network and what is measured of it so far."""

    def __init__(
        self, run: TrainedRun, earlier: BiasReport | None, clips: VersionedClips, made_of: dict[str, Any]
    ) -> None:
        self.run = run
        self.task: Classify = run.task(Classify, CLASSIFICATION.takes)
        self.report = earlier or BiasReport(
            run=run.path.name,
            data=run.summary.fingerprints.data,
            masks=clips.test.store.manifest.masks,
            interval=str(Resampling(made_of["resamples"], made_of["seed"])),
            clips=len(clips.samples),
            test_clips=len(clips.test),
            possible=clips.possible,
            picture=PICTURE,
            made_of=made_of,
        )

    def add(self, version: Version) -> None:
        """Add a version, and write all that is measured."""
        self.report = replace(self.report, versions=[*self.report.versions, version])
        write_text(self.run.path / BIAS, self.report.to_json())


def _made_of(run: TrainedRun, settings: Settings) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "checkpoint": checksum(run.checkpoint)[:16],
        "data": run.summary.fingerprints.data,
        "resamples": settings.resamples,
        "seed": settings.seed,
    }


def _earlier(folder: Path, made_of: dict[str, Any]) -> BiasReport | None:
    """The earlier results, if they depend on the same things."""
    try:
        report = read_bias(folder)
    except UserError:  # damaged: it is measured again
        return None
    return report if report and report.made_of == made_of and (folder / report.picture).is_file() else None


def _clips(run: TrainedRun, settings: Settings) -> VersionedClips:
    store, data = store_of(run, settings.store), run.config["data"]
    cut = clip_settings(data)
    train, test = (
        ClipDataset(store, split, **cut, seed=0, random_windows=False, classes=run.summary.classes).labelled
        for split in ("train", "test")
    )
    if not len(test):
        raise UserError(
            f"{store.root} holds no labelled test clips of {cut['chunk_frames']} frames: there is nothing to test"
        )
    return VersionedClips(train, test, settings.seed)


def _measure(runs: Sequence[_Measured], clips: VersionedClips, resampling: Resampling) -> None:
    picture = draw_versions(clips)
    for one in runs:
        with atomic_write(one.run.path / PICTURE) as file:
            file.write(picture)
    wanted = {name: [one for one in runs if name in one.report.missing] for name in clips.possible}
    steps = sum(len(clips.samples) for some in wanted.values() if some)
    with progress(f"{len(runs)} runs on versions of their test clips", steps, "clips") as advance:
        for name, some in wanted.items():
            if some:
                _measure_version(some, clips, name, resampling, advance)


@torch.no_grad()
def _measure_version(
    runs: Sequence[_Measured], clips: VersionedClips, name: str, resampling: Resampling, advance: Advance
) -> None:
    right: list[dict[int, bool]] = [{} for _ in runs]
    for start in range(0, len(clips.samples), BATCH):
        asked = clips.samples[start : start + BATCH]
        samples = clips.made(name, asked)
        batch = clips.batch(name, samples) if samples else None
        for one, found in zip(runs, right, strict=True):
            if batch is not None:
                moved = batch.moved(one.task.device)
                predicted = one.task.network(one.task.inputs(moved)[0]).argmax(1).cpu()
                found |= dict(zip(samples, (predicted == batch.label).tolist(), strict=True))
        advance(len(asked))
    for one, found in zip(runs, right, strict=True):
        one.add(_version(name, found, one.report, clips, resampling))


def _version(
    name: str, right: dict[int, bool], report: BiasReport, clips: VersionedClips, resampling: Resampling
) -> Version:
    outcomes = "".join("-" if sample not in right else "01"[right[sample]] for sample in clips.samples)
    there = np.array([character != "-" for character in outcomes])
    of_group = groups(clips.test)[clips.samples][there]
    correct = np.array([*outcomes])[there] == "1"
    first = next((version.outcomes for version in report.versions if version.name == ORIGINAL), outcomes)
    original = np.array([*first])[there] == "1"
    if not len(correct):
        return Version(name, outcomes, 0, 0, 1, 0, -1, 1)
    share = accuracy(correct, of_group, resampling)
    return Version(name, outcomes, *share, *accuracy_difference(correct, original, of_group, resampling))
