"""Analysing one run: features, probes, swaps, and at last `probes.json`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.evaluation.probing.draw import draw_grid
from fbm.evaluation.probing.factors import read_factors
from fbm.evaluation.probing.features import effective_rank, features, parts_of
from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.probes import SPLITS, ProbeTarget, probe, probe_targets
from fbm.evaluation.probing.retrieval import retrieval
from fbm.evaluation.probing.runs import Pretrained, read_pretrained
from fbm.evaluation.probing.settings import Settings
from fbm.evaluation.probing.swaps import chosen_samples, swaps
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input
from fbm.runs.files import PROBES
from fbm.runs.probes import ProbeReport
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, checksum, write_text
from fbm.utils.progress import progress

FORMAT = 2  # of the measurement; results of another format are measured again
SplitClips = dict[str, ClipDataset]


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
    run = read_pretrained(folder)
    store = run.store(settings.store)
    root = run.config["data"]["root"]
    root_missing = root is not None and not Path(root).is_dir()
    factors = read_factors(root and Path(root), [video for video in store.usable if video.action])
    made_of = {
        "format": FORMAT,
        "checkpoint": checksum(run.best)[:16],
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
        report = ProbeReport.from_json((folder / PROBES).read_bytes())
    except (OSError, ValueError):
        return None
    stored = {**report.made_of, "factors": made_of["factors"]} if any_factors else report.made_of
    pictures = [folder / name for name in report.pictures]
    return report if stored == made_of and all(picture.is_file() for picture in pictures) else None


def _clips(run: Pretrained, store: FrameStore) -> SplitClips:
    data = run.config["data"]
    lengths = data["chunk_frames"], data["clip_frames"]
    clips = {split: ClipDataset(store, split, *lengths, seed=0, augment=False).labelled for split in SPLITS}
    for split in ("train", "test"):
        if not len(clips[split]):
            raise UserError(
                f"{store.root} holds no labelled {split} clips of {lengths[0]} frames: there is nothing to probe"
            )
    return clips


def _measure(run: Pretrained, clips: SplitClips, targets: list[ProbeTarget], resampling: Resampling) -> ProbeReport:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = run.task().to(device)
    network = task.network
    total = 2 * sum(map(len, clips.values()))
    with progress(f"features of {run.folder.name}", total, "clips") as advance:
        maps = _features(task.encoder, clips, advance)
        control_maps = _features(run.untrained_encoder().to(device), clips, advance)
    trained = {split: parts_of(of_split, isinstance(network, Disentangler)) for split, of_split in maps.items()}
    control = {split: parts_of(of_split, False) for split, of_split in control_maps.items()}
    results = probe(trained, clips, targets, resampling)
    return ProbeReport(
        run=run.folder.name,
        task=run.summary.task,
        data=run.summary.fingerprints.data,
        split="test",
        interval=str(resampling),
        probes=results.probes,
        diagonality=results.diagonality,
        effective_rank={part: effective_rank(inputs) for part, inputs in trained["train"].items()},
        control=probe(control, clips, targets, resampling).probes,
        control_effective_rank=effective_rank(control["train"]["all"]),
        retrieval=retrieval(maps, clips, resampling),
        control_retrieval=retrieval(control_maps, clips, resampling),
        pictures=_draw_swaps(network, clips["test"], run.folder) if isinstance(network, Disentangler) else [],
    )


def _features(encoder: Encoder, clips: SplitClips, advance: Callable[[], None]) -> dict[str, Tensor]:
    """`N C h w` of every clip of each split."""
    return {split: features(encoder, of_split, range(len(of_split)), advance) for split, of_split in clips.items()}


def _draw_swaps(network: Disentangler, clips: ClipDataset, folder: Path) -> list[str]:
    """Draw both grids of a few test clips; returns the names of the files in the run folder."""
    batch = clips.batch([SampleKey(0, sample) for sample in chosen_samples(clips)])
    names = [clips.videos[int(number)].action for number in batch.video]
    device = next(network.parameters()).device
    files = []
    for name, grid in swaps(network, to_input(batch.frames.to(device)), names).items():
        files.append(f"gallery/swap-{name}.png")
        with atomic_write(folder / files[-1]) as file:
            draw_grid(grid).savefig(file, format="png")
    return files
