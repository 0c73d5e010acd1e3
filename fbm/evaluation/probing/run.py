"""Analysing one run: features, probes, scores, swaps, and at last `probes.json`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from fbm.data.clips import ClipDataset, SampleKey, clip_settings
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.finished import PRETRAINING
from fbm.evaluation.probing.draw import draw_grid
from fbm.evaluation.probing.factors import FACTORS, groups, read_factors
from fbm.evaluation.probing.features import effective_rank, features, parts_of, permuted
from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.probes import SPLITS, ProbeTarget, accuracies, probe_targets, read
from fbm.evaluation.probing.retrieval import retrieval
from fbm.evaluation.probing.runs import store_of, untrained_encoder
from fbm.evaluation.probing.settings import Settings
from fbm.evaluation.probing.swaps import chosen_samples, swaps
from fbm.evaluation.scoring.parts import Views, chosen, part_scores, views
from fbm.evaluation.scoring.swapped import Swaps
from fbm.evaluation.scoring.table import table_scores
from fbm.evaluation.trained_run import TrainedRun
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input
from fbm.runs.files import PROBES
from fbm.runs.probes import OWN_FACTOR, ProbeReport, read_probes
from fbm.tasks.task import PretrainingTask
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, checksum, write_text
from fbm.utils.progress import progress

FORMAT = 2  # of the measurement; results of another format are measured again
DEALS = (0, 1, 2)  # seeds of permuted channels
SplitClips = dict[str, ClipDataset]
Maps = dict[str, Tensor]  # of every clip of each split


class AnalysedRun(NamedTuple):
    """A run's folder, its probes, and whether they were measured now."""

    folder: Path
    report: ProbeReport
    fresh: bool


def analyse_run(folder: Path, settings: Settings) -> AnalysedRun:
    """Analyse one run, or load its earlier results if checkpoint, data and settings are the same.

    Raises:
        UserError: the run, its store or its factors do not allow it.
    """
    run = TrainedRun(folder)
    store = store_of(run, settings.store)
    root = run.config["data"]["root"]
    root_missing = root is not None and not Path(root).is_dir()
    factors = read_factors(root and Path(root), [video for video in store.usable if video.action])
    made_of = {
        "format": FORMAT,
        "checkpoint": checksum(run.checkpoint)[:16],
        "data": store.manifest.fingerprint,
        "resamples": settings.resamples,
        "seed": settings.seed,
        "factors": list(factors),
    }
    if not settings.overwrite and (report := _earlier(folder, made_of, any_factors=root_missing)):
        return AnalysedRun(folder, report, fresh=False)
    if root_missing:
        print(f"{folder}: {root} is missing, so the factors of the videos are not known; only the class is probed")
    clips = _clips(run, store)
    report = _measure(run, clips, probe_targets(clips, factors), Resampling(settings.resamples, settings.seed))
    report = replace(report, made_of=made_of)
    write_text(folder / PROBES, report.to_json())
    return AnalysedRun(folder, report, fresh=True)


def _earlier(folder: Path, made_of: dict[str, Any], any_factors: bool) -> ProbeReport | None:
    """The earlier results, if they depend on the same things and their pictures are there."""
    try:
        report = read_probes(folder)
    except UserError:  # damaged: it is measured again
        return None
    if report is None:
        return None
    stored = {**report.made_of, "factors": made_of["factors"]} if any_factors else report.made_of
    pictures = [folder / name for name in report.pictures]
    return report if stored == made_of and all(picture.is_file() for picture in pictures) else None


def _clips(run: TrainedRun, store: FrameStore) -> SplitClips:
    cut = clip_settings(run.config["data"])
    clips = {split: ClipDataset(store, split, **cut, seed=0, random_windows=False).labelled for split in SPLITS}
    for split in ("train", "test"):
        if not len(clips[split]):
            raise UserError(
                f"{store.root} holds no labelled {split} clips of {cut['chunk_frames']} frames: there is nothing to "
                "probe"
            )
    return clips


def _measure(run: TrainedRun, clips: SplitClips, targets: list[ProbeTarget], resampling: Resampling) -> ProbeReport:
    task: PretrainingTask = run.task(PretrainingTask, PRETRAINING.takes)
    network = task.network if isinstance(task.network, Disentangler) else None
    untrained, disentangled = untrained_encoder(run), network is not None
    with progress(f"features of {run.path.name}", 2 * _passes(clips), "clips") as advance:
        trained_maps, trained_views = _features(task.encoder, clips, advance)
        control_maps, control_views = _features(untrained, clips, advance)
    trained = _parts(trained_maps, disentangled)
    named = {target.factor: target for target in targets}
    scored = disentangled and set(named) == set(FACTORS)  # the parts have factors to be scored by
    with progress(f"probes of {run.path.name}", _probes(len(targets), disentangled, scored), "probes") as advance:
        readings = read(trained, targets, list(trained["train"]), advance)
        parts = _parts(control_maps, scored)
        control = read(parts, targets, list(parts["train"]), advance)
        dealt = (_parts(_permuted(trained_maps, seed), True) for seed in DEALS) if scored else ()
        null = [read(deal, targets, list(OWN_FACTOR), advance) for deal in dealt]
    own = groups(clips["test"])
    scores = table_scores(readings, control, null, targets, own, resampling)
    scores += part_scores(trained_views, control_views, clips["test"], disentangled, DEALS, resampling)
    if network and scored:
        with progress(f"swaps of {run.path.name}, judged", len(targets), "factors") as advance:
            judged = Swaps(clips, named, resampling, task.encoder.size)
            scores += judged.scores(network, trained_maps["test"], control_maps["test"], DEALS, advance)
    alone = {cell: reading for cell, reading in control.items() if cell[0] == "all"}
    return ProbeReport(
        run=run.path.name,
        task=run.summary.task,
        data=run.summary.fingerprints.data,
        split="test",
        interval=str(resampling),
        probes=accuracies(readings, targets, own, resampling),
        scores=scores,
        effective_rank={part: effective_rank(inputs) for part, inputs in trained["train"].items()},
        control=accuracies(alone, targets, own, resampling),
        control_effective_rank=effective_rank(parts["train"]["all"]),
        retrieval=retrieval(trained_maps, clips, resampling),
        control_retrieval=retrieval(control_maps, clips, resampling),
        pictures=_draw_swaps(network, clips["test"], run.path) if network else [],
    )


def _passes(clips: SplitClips) -> int:
    """How many clips one encoder is given."""
    return sum(map(len, clips.values())) + 2 * len(chosen(clips["test"]))


def _features(encoder: Encoder, clips: SplitClips, advance: Callable[[], None]) -> tuple[Maps, Views]:
    maps = {split: features(encoder, some, range(len(some)), advance) for split, some in clips.items()}
    return maps, views(encoder, clips["test"], maps["test"], advance)


def _parts(maps: Maps, disentangled: bool) -> dict[str, dict[str, np.ndarray]]:
    return {split: parts_of(some, disentangled) for split, some in maps.items()}


def _permuted(maps: Maps, seed: int) -> Maps:
    return {split: permuted(some, seed) for split, some in maps.items()}


def _probes(factors: int, disentangled: bool, scored: bool) -> int:
    """How many probes are fitted: of the run, the untrained encoder, and the permuted channels."""
    parts = len(OWN_FACTOR)
    return factors * ((1 + parts * disentangled) + (1 + parts * scored) + len(DEALS) * parts * scored)


def _draw_swaps(network: Disentangler, clips: ClipDataset, folder: Path) -> list[str]:
    """Draw both grids of a few test clips; returns the names of the files in the run folder."""
    batch = clips.batch([SampleKey(0, sample) for sample in chosen_samples(clips)])
    names = [clips.videos[int(number)].action for number in batch.video]
    device = next(network.parameters()).device
    files = []
    for name, grid in swaps(network, to_input(batch.frames.to(device), network.encoder.size), names).items():
        files.append(f"gallery/swap-{name}.png")
        with atomic_write(folder / files[-1]) as file:
            draw_grid(grid).savefig(file, format="png")
    return files
