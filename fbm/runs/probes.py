"""The schema of `probes.json`, which `fbm analyse` writes into the folder of a pretraining run."""

import json
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from fbm.runs.files import PROBES
from fbm.utils import schema
from fbm.utils.files import read_validated

Share = Annotated[float, Field(ge=0, le=1)]
Part = Annotated[str, Field(pattern="^(all|motion|foreground|background)$")]
Factor = Annotated[str, Field(pattern="^(motion|object|scene|class)$")]
ScoreKind = Literal["table", "swaps", "similarity", "dynamics"]
# The factor that each part of a disentangled feature is meant to hold.
OWN_FACTOR = {"motion": "motion", "foreground": "object", "background": "scene"}


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Probe:
    """How well a linear probe on one part reads one factor on test clips, with its 95 % interval; shares in 0..1.

    `chance` is one in so many classes, or the share of the commonest class in the test clips where that is larger.
    """

    part: Part
    factor: Factor
    accuracy: Share
    low: Share
    high: Share
    chance: Share
    classes: int
    train_clips: int
    test_clips: int


@dataclass(frozen=True)
class Score:
    """A score of the parts, or what a judge says of decoded swaps; None where it is not defined or not measured.

    Attributes:
        name: of its `kind`.
        value: of the run.
        untrained: of the untrained encoder that the run began with.
        permuted: with the channels dealt to the parts at random, the mean over several deals.
        chance: of an accuracy.
    """

    kind: ScoreKind
    name: str
    value: Interval | None
    untrained: Interval | None = None
    permuted: float | None = None
    chance: Share | None = None


@dataclass(frozen=True)
class Retrieval:
    """R@k: the share of test videos of whose k nearest training videos any has their class; shares in 0..1."""

    k: Annotated[int, Field(ge=1)]
    recall: Share
    low: Share
    high: Share
    train_videos: int
    test_videos: int


@dataclass(frozen=True)
class ProbeReport:
    """All probes of one run.

    Attributes:
        data: fingerprint of the store that the probes are on.
        interval: how the intervals were made.
        scores: of the parts (`fbm.scores`); empty in a file of an earlier fbm.
        diagonality: of a file of an earlier fbm; now one of `scores`.
        effective_rank: of each part's features.
        control: the same probes of the untrained encoder that the run began with.
        retrieval: R@k of all features, ascending in k.
        control_retrieval: the same of the untrained encoder.
        pictures: of the swaps, in the run folder.
        made_of: what the numbers depend on; if that is unchanged, they are not measured again.
    """

    run: str
    task: str
    data: str
    split: str
    interval: str
    probes: list[Probe]
    scores: list[Score] = field(default_factory=list)
    diagonality: Interval | None = None
    effective_rank: dict[str, float | None] = field(default_factory=dict)
    control: list[Probe] = field(default_factory=list)
    control_effective_rank: float | None = None
    retrieval: list[Retrieval] = field(default_factory=list)
    control_retrieval: list[Retrieval] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    made_of: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(_plain(self), indent=2) + "\n"


def read_probes(folder: Path) -> ProbeReport | None:
    """The probes of a run; None if it was not analysed. UserError if the file is damaged."""
    file = folder / PROBES
    remedy = "Delete the file and run `fbm analyse` again."
    return read_validated(file, partial(schema.from_json, ProbeReport), remedy) if file.exists() else None


def _plain(value: Any) -> Any:
    """Dataclasses and named tuples as dicts."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Interval):
        return value._asdict()
    return [_plain(one) for one in value] if isinstance(value, list) else value
