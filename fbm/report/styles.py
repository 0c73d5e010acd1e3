"""Colour and marker of a line: the same for the same initialisation in every figure of a report."""

from collections.abc import Sequence
from typing import NamedTuple

# The palette of Okabe and Ito, for any colour vision. The web page has its own shades of it, light and dark.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# The paper's three always have these; other initialisations take turns at the rest.
FIXED = {"random": 0, "autoencoder": 1, "ours": 2}
MARKERS = "osD^vPX"


class Style(NamedTuple):
    """Indices into COLOURS and MARKERS; marker 0 is a plain dot."""

    colour: int
    marker: int


def line_styles(inits: Sequence[str]) -> list[Style]:
    """A style for each line, given its initialisation: lines of one initialisation differ in the marker."""
    others = [init for init in dict.fromkeys(inits) if init not in FIXED]
    free = len(COLOURS) - len(FIXED)
    colours = FIXED | {init: len(FIXED) + nth % free for nth, init in enumerate(others)}
    return [Style(colours[init], inits[:at].count(init) % len(MARKERS)) for at, init in enumerate(inits)]
