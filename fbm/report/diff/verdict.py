"""Whether two runs may be averaged or compared, by the fingerprints in their summaries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fbm.config.keys import under
from fbm.report.diff.read import RunSnapshot

NAMED = 3  # settings that the sentence names


@dataclass(frozen=True)
class Comparability:
    """What may be done with two runs, and why, in one sentence."""

    kind: Literal["average", "compare", "neither", "unknown"]
    sentence: str


def verdict(a: RunSnapshot, b: RunSnapshot, groups: Mapping[str, Mapping[str, Any]]) -> Comparability:
    """Judge two runs.

    Args:
        groups: the differences between them, to name what the fingerprints only detect.
    """
    if a.summary is None or b.summary is None:
        unfinished = a.folder if a.summary is None else b.folder
        return Comparability("unknown", f"They can be neither averaged nor compared yet: {unfinished} is not finished.")
    one, other = a.summary, b.summary
    caution = _caution(groups)
    if one.fingerprints.data != other.fingerprints.data:
        return Comparability("neither", "The two runs may be neither averaged nor compared: their data differ.")
    if one.fingerprints.comparison != other.fingerprints.comparison:
        reason = _differing_settings(groups["config"])
        return Comparability("neither", f"The two runs may be neither averaged nor compared: {reason}.")
    if one.fingerprints.config != other.fingerprints.config:
        reason = (
            f"only the pretraining of the initialisation ({one.init}) differs"
            if one.init == other.init
            else f"only the initialisation differs ({one.init} and {other.init})"
        )
        seeds = (
            f", with the same seed ({one.seed})"
            if one.seed == other.seed
            else f", and the seed ({one.seed} and {other.seed})"
        )
        return Comparability("compare", f"The two runs may be compared, not averaged: {reason}{seeds}{caution}.")
    if one.seed == other.seed:
        reason = f"The two runs are one measurement made twice (seed {one.seed}): there is nothing to average"
        return Comparability("neither", f"{reason}{caution}.")
    reason = f"only the seed differs ({one.seed} and {other.seed})"
    return Comparability("average", f"The two runs may be averaged: {reason}{caution}.")


def _differing_settings(config: Mapping[str, Any]) -> str:
    keys = [key for key in config if not under(key, ("seed", "init"))]
    keys.sort(key=lambda key: under(key, ("callbacks",)))  # callbacks' settings follow from the others
    if not keys:
        return "their fingerprints show that more differs than the seed and the initialisation"
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"more differs than the seed and the initialisation ({', '.join(keys[:NAMED])}{more})"


def _caution(groups: Mapping[str, Any]) -> str:
    """What no fingerprint covers and yet can change a result."""
    others = [name for name in ("code", "packages", "hardware") if groups.get(name)]
    return f"; note that {' and '.join(others)} differ" if others else ""
