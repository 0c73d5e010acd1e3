"""Make a demo set: once, whole, and never over a user's files."""

import json
import shutil
from pathlib import Path
from typing import Any

from fbm.data.demo.render import render_group
from fbm.data.demo.settings import CLASSES, Group, Settings, draw_groups
from fbm.data.demo.writer import write_clip, write_lists
from fbm.utils.errors import UserError
from fbm.utils.files import write_text
from fbm.utils.process import in_processes
from fbm.utils.progress import progress

MARKER = ".fbm-demo"  # written first: this folder's content may be replaced
FACTORS = "factors.json"  # written last: the set is whole
FOLDERS = ("UCF-101", "annotations", "masks", "ucfTrainTestlist")

Lengths = dict[str, int]  # frames of each video


def make_demo(
    root: Path | str,
    *,
    seed: int = 0,
    groups: int = 12,
    test_groups: int = 4,
    clips: int = 3,
    frames: int = 34,
    object_strength: float = 0.5,
    scene_strength: float = 0.5,
    workers: int | None = None,
) -> None:
    """Make a synthetic data set in UCF-101's layout under `root`; does nothing if it exists.

    Each of the six classes gets `groups` groups (the first `test_groups` test in split 1) of `clips` videos
    with `frames` to `frames + 12` frames of 160 × 120. A group's object (scene) is its class's favourite with
    probability `object_strength` (`scene_strength`), else any of the six kinds alike: at 0 only the motion
    tells the class. The result does not depend on `workers` (default: all cores).
    """
    root = Path(root)
    settings = Settings(
        seed=seed,
        groups=groups,
        test_groups=test_groups,
        clips=clips,
        frames=frames,
        object_strength=object_strength,
        scene_strength=scene_strength,
    )
    if workers is not None and workers < 1:
        raise UserError(f"demo: workers must be at least 1, not {workers}")
    if _is_made(root, settings):
        return
    _clear(root)
    everyone = draw_groups(settings)
    lengths = _make_videos(root, settings, everyone, workers)
    write_lists(root / "ucfTrainTestlist", settings, everyone)
    _write_factors(root, settings, everyone, lengths)


def _is_made(root: Path, settings: Settings) -> bool:
    """True for a whole set of these settings, False if one may be made here; otherwise a UserError."""
    if root.exists() and not root.is_dir():
        raise UserError(f"demo: {root} is a file; choose a folder")
    if (root / FACTORS).exists():
        _compare(root, settings)
        return True
    if root.exists() and any(root.iterdir()) and not (root / MARKER).exists():
        raise UserError(f"demo: {root} holds files that are not a demo set; choose another root")
    return False


def _compare(root: Path, settings: Settings) -> None:
    remedy = "choose another root or delete this one"
    try:
        found = json.loads((root / FACTORS).read_text(encoding="utf-8"))["settings"]
        pairs = {name: (found.get(name), asked) for name, asked in settings.as_dict().items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"demo: {root / FACTORS} is not a demo set's; {remedy}") from error
    differing = [f"{name} {there}, not {asked}" for name, (there, asked) in pairs.items() if there != asked]
    if differing:
        raise UserError(f"demo: {root} was made with {', '.join(differing)}; {remedy}")


def _clear(root: Path) -> None:
    """Leave the marker and empty folders: an interrupted run may have left videos of other settings."""
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).write_text(f"Made by fbm. Without {FACTORS} beside it this set is unfinished.\n")
    for name in FOLDERS:
        if (root / name).exists():
            shutil.rmtree(root / name)
        (root / name).mkdir()
    for name in FOLDERS[:3]:
        for motion in CLASSES:
            (root / name / motion).mkdir()


def _make_videos(root: Path, settings: Settings, groups: list[Group], workers: int | None) -> Lengths:
    lengths: Lengths = {}
    with progress("demo videos", len(groups) * settings.clips, "videos") as advance:
        if workers == 1:
            for group in groups:
                lengths |= make_group(root, settings, group)
                advance(settings.clips)
            return lengths
        tasks = [(group, (root, settings, group), None) for group in groups]
        with in_processes(make_group, tasks, workers) as finished:
            for _, answer in finished:
                lengths |= answer()
                advance(settings.clips)
    return lengths


def make_group(root: Path, settings: Settings, group: Group) -> Lengths:
    """Render and write one group's videos; return their lengths. Runs in any process."""
    lengths = {}
    for number, clip in enumerate(render_group(settings, group), start=1):
        write_clip(root, group.video(number), clip)
        lengths[group.video(number)] = len(clip.frames)
    return lengths


def _write_factors(root: Path, settings: Settings, groups: list[Group], lengths: Lengths) -> None:
    """Write the table of factors, whole or not at all."""
    videos: dict[str, dict[str, Any]] = {}
    for group in groups:
        kinds = {"motion": group.motion, "object": group.object, "scene": group.scene}
        for clip in range(1, settings.clips + 1):
            video = group.video(clip)
            videos[video] = {**kinds, "group": group.number, "clip": clip, "frames": lengths[video]}
    write_text(root / FACTORS, json.dumps({"settings": settings.as_dict(), "videos": videos}, indent=1) + "\n")
