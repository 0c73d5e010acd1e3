"""The schema of `bias.json`, which `fbm analyse --bias` writes into the folder of a classification run."""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from fbm.runs.files import BIAS
from fbm.runs.probes import Share
from fbm.utils import schema
from fbm.utils.files import read_validated

ORIGINAL = "original"
# Versions of test clips by name, and how tables call them; after the benchmarks that they follow.
VERSIONS = {
    ORIGINAL: "original",
    "foreground": "foreground only (HAT Human-Only)",
    "background": "background only (HAT Background-Only)",
    "swap_same": "background of the same class (HAT Action-Swap Same)",
    "swap_other": "background of another class (HAT Action-Swap Random)",
    "stripes": "foreground on stripes (SCUBA Sinusoid)",
    "stripes_still": "one frame of it repeated (SCUFO Sinusoid)",
    "still": "one frame repeated",
    "shuffled": "frames shuffled",
    "reversed": "frames reversed",
}
WITHOUT_MASKS = (ORIGINAL, "still", "shuffled", "reversed")
Signed = Annotated[float, Field(ge=-1, le=1)]


@dataclass(frozen=True)
class Version:
    """How well a run classifies one version of the test clips; shares in 0..1 with 95 % intervals over test groups.

    Attributes:
        outcomes: a character for each clip that was measured: 1 where the class is right, 0 where it is not, - where
            there is no such version of the clip (no other clip of its class).
        difference: to the original on the same clips, in -1..1.
    """

    name: Annotated[str, Field(pattern=f"^({'|'.join(VERSIONS)})$")]
    outcomes: Annotated[str, Field(pattern="^[01-]*$")]
    accuracy: Share
    low: Share
    high: Share
    difference: Signed
    difference_low: Signed
    difference_high: Signed

    @property
    def clips(self) -> int:
        """How many clips it was measured on."""
        return len(self.outcomes) - self.outcomes.count("-")


@dataclass(frozen=True)
class BiasReport:
    """All versions of one run's test clips.

    Attributes:
        data: fingerprint of the store.
        masks: its mask source, which says what the foreground is: with boxes it includes some background.
        interval: how the intervals were made.
        clips: that were measured: those with foreground in every frame; all where no clip has that.
        test_clips: of the whole split.
        possible: the versions that can be made of them.
        picture: of one clip's versions, in the run folder.
        made_of: what the numbers depend on; if that is unchanged, they are not measured again.
    """

    run: str
    data: str
    masks: str
    interval: str
    clips: int
    test_clips: int
    possible: list[str]
    versions: list[Version] = field(default_factory=list)
    picture: str = ""
    made_of: dict[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """The versions that are not measured yet."""
        measured = {version.name for version in self.versions}
        return [name for name in self.possible if name not in measured]

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"


def read_bias(folder: Path) -> BiasReport | None:
    """The versions of a run's test clips; None if none was measured. UserError if the file is damaged."""
    file = folder / BIAS
    remedy = "Delete the file and run `fbm analyse --bias` again."
    return read_validated(file, partial(schema.from_json, BiasReport), remedy) if file.exists() else None
