"""One clip in all its versions as a picture: a row for each, with a few of its frames."""

import io

import numpy as np
from matplotlib.figure import Figure

from fbm.data.clips import evenly_spaced
from fbm.evaluation.bias.clips import VersionedClips
from fbm.runs.bias import VERSIONS

SHOWN = 6  # frames of a clip
NAMES = 2.6  # inches for the names


def draw_versions(clips: VersionedClips) -> bytes:
    """A PNG of the middle one of the clips that have every version."""
    whole = [s for s in clips.samples if all(clips.made(name, [s]) for name in clips.possible)] or clips.samples
    sample = whole[len(whole) // 2]
    drawn = [name for name in clips.possible if clips.made(name, [sample])]
    figure = Figure(figsize=(NAMES + SHOWN, len(drawn)), dpi=100)
    left = NAMES / (NAMES + SHOWN)
    axis = figure.add_axes((left, 0, 1 - left, 1))
    axis.set(xlim=(0, SHOWN), ylim=(len(drawn), 0), autoscale_on=False)
    axis.set_axis_off()
    for row, name in enumerate(drawn):
        frames = clips.batch(name, [sample]).frames[0].numpy()
        axis.text(-0.05, row + 0.5, _two_lines(VERSIONS[name]), ha="right", va="center", fontsize=8)
        for column, frame in enumerate(np.asarray(frames)[evenly_spaced(len(frames), SHOWN)]):
            axis.imshow(frame, extent=(column + 0.02, column + 0.98, row + 0.98, row + 0.02))
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _two_lines(name: str) -> str:
    return name.replace(" (", "\n(")
