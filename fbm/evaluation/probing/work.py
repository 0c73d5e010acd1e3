"""One run analysed: features, probes, swaps, and `probes.json`, written last, which says that it is done."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store import FrameStore
from fbm.evaluation.probing.draw import draw
from fbm.evaluation.probing.factors import read_factors
from fbm.evaluation.probing.features import effective_rank, features, parts_of
from fbm.evaluation.probing.intervals import Resampling
from fbm.evaluation.probing.probes import SPLITS, ProbeTarget, probe, questions
from fbm.evaluation.probing.runs import Pretrained, read_pretrained
from fbm.evaluation.probing.settings import Settings
from fbm.evaluation.probing.swaps import chosen, swaps
from fbm.models.disentangler import Disentangler
from fbm.models.encoder import Encoder
from fbm.models.layers import to_input
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, checksum, write_text
from fbm.utils.progress import progress

FILE = "probes.json"
FORMAT = 1  # of the measuring; what an older one measured is measured anew
SplitClips = dict[str, ClipDataset]


class Analysed(NamedTuple):
    """A run's folder, what its `probes.json` says, and whether that was measured now."""

    folder: Path
    content: dict[str, Any]
    fresh: bool


def analyse_run(folder: Path, settings: Settings) -> Analysed:
    """Analyse one run, or read what was found before, if it is of the same checkpoint, data and settings.

    Raises:
        UserError: the run, its store or its factors do not allow it.
    """
    run = read_pretrained(folder)
    store = run.store(settings.store)
    root = run.config["data"]["root"]
    gone = root is not None and not Path(root).is_dir()
    factors = read_factors(root and Path(root), [video for video in store.usable if video.action])
    made_of = _made_of(run, store, settings, list(factors))
    if not settings.overwrite and (content := _earlier(folder, made_of, any_factors=gone)):
        return Analysed(folder, content, fresh=False)
    if gone:
        print(f"{folder}: there is no {root} any more to say what is in each video: the class alone is probed")
    clips = _clips(run, store)
    content = _analyse(run, clips, questions(clips, factors), Resampling(settings.resamples, settings.seed))
    write_text(folder / FILE, json.dumps({**content, "made_of": made_of}, indent=2) + "\n")
    return Analysed(folder, content, fresh=True)


def _made_of(run: Pretrained, store: FrameStore, settings: Settings, factors: list[str]) -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        **{"format": FORMAT, "checkpoint": checksum(run.best)[:16], "data": store.manifest.fingerprint},
        **{"resamples": settings.resamples, "seed": settings.seed, "factors": factors},
    }


def _earlier(folder: Path, made_of: dict[str, Any], any_factors: bool) -> dict[str, Any] | None:
    """What was found before, if it still holds and its pictures are there."""
    try:
        content: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        stored, pictures = content["made_of"], [folder / name for name in content["pictures"]]
        same = {**stored, "factors": made_of["factors"]} == made_of if any_factors else stored == made_of
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if same and all(picture.is_file() for picture in pictures) else None


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


def _analyse(run: Pretrained, clips: SplitClips, asked: list[ProbeTarget], how: Resampling) -> dict[str, Any]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    task = run.task().to(device)
    network = task.network
    total = 2 * sum(map(len, clips.values()))
    with progress(f"features of {run.folder.name}", total, "clips") as advance:
        made = _features(task.encoder, clips, isinstance(network, Disentangler), advance)
        control = _features(run.untrained_encoder().to(device), clips, False, advance)
    probed, untrained = probe(made, clips, asked, how), probe(control, clips, asked, how)
    pictures = _draw_swaps(network, clips["test"], run.folder) if isinstance(network, Disentangler) else []
    return {
        **{"run": run.folder.name, "task": run.summary["task"], "data": run.summary["fingerprints"]["data"]},
        **{"split": "test", "interval": str(how), "probes": [asdict(one) for one in probed.probes]},
        "diagonality": probed.diagonality and probed.diagonality._asdict(),
        "effective_rank": {part: effective_rank(inputs) for part, inputs in made["train"].items()},
        "control": [asdict(one) for one in untrained.probes],
        "control_effective_rank": effective_rank(control["train"]["all"]),
        "pictures": pictures,
    }


def _features(
    encoder: Encoder, clips: SplitClips, disentangled: bool, advance: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    return {
        split: parts_of(features(encoder, some, range(len(some)), advance), disentangled)
        for split, some in clips.items()
    }


def _draw_swaps(network: Disentangler, clips: ClipDataset, folder: Path) -> list[str]:
    """Draw both grids of some test clips; gives the files' names in the run folder."""
    batch = clips.batch([SampleKey(0, sample) for sample in chosen(clips)])
    names = [clips.videos[int(number)].action for number in batch.video]
    device = next(network.parameters()).device
    files = []
    for name, grid in swaps(network, to_input(batch.frames.to(device)), names).items():
        files.append(f"gallery/swap-{name}.png")
        with atomic_write(folder / files[-1]) as file:
            draw(grid).savefig(file, format="png")
    return files
