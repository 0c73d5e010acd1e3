"""What the files of folders are by their content, and what is wrong with those that are no videos."""

from collections.abc import Sequence
from pathlib import Path

from fbm.data.dataset import Rejection
from fbm.data.decoding.probe import probe_videos
from fbm.data.decoding.video import VideoError


def probed(paths: Sequence[Path]) -> list[tuple[int | None, Rejection | None]]:
    """For each file the number of frames that it should have, or else its fault."""
    return [
        (None, Rejection(found.status, found.reason)) if isinstance(found, VideoError) else (found, None)
        for found in probe_videos(paths)
    ]


def first_fault(faults: Sequence[tuple[str, str]]) -> str:
    """What is in a folder without a video, for an error.

    Args:
        faults: name and reason of each of its files.
    """
    name, reason = faults[0]
    return f"the first of its {len(faults)} files is {name} ({reason})"
