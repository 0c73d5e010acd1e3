"""Whether two runs may be averaged or compared, by the fingerprints in their summaries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fbm.config.keys import under
from fbm.report.diff.read import RunSnapshot

KEYS = ("config", "comparison", "data")
NAMED = 3  # settings that the sentence names


@dataclass(frozen=True)
class Comparability:
    """What may be done with two runs, and why, in one sentence."""

    kind: Literal["average", "compare", "neither", "unknown"]
    sentence: str


def verdict(a: RunSnapshot, b: RunSnapshot, groups: Mapping[str, Mapping[str, Any]]) -> Comparability:
    """Judge two runs.

    Args:
        groups: what differs between them; names what the fingerprints say.
    """
    for side in (a, b):
        if side.summary is None:
            return Comparability(
                "unknown", f"What may be done with them cannot be said: {side.folder} is not finished."
            )
    assert a.summary is not None
    assert b.summary is not None
    try:
        same = {key: a.summary["fingerprints"][key] == b.summary["fingerprints"][key] for key in KEYS}
    except (KeyError, TypeError):
        return Comparability("unknown", "What may be done with them cannot be said: a summary holds no fingerprints.")
    seeds = a.summary.get("seed"), b.summary.get("seed")
    if not same["data"]:
        return Comparability("neither", "The two runs may be neither averaged nor compared: their data differ.")
    if not same["comparison"]:
        named = _named(groups["config"])
        return Comparability("neither", f"The two runs may be neither averaged nor compared: {named}.")
    mind = _mind(groups)
    if not same["config"]:
        inits = a.summary.get("init"), b.summary.get("init")
        return Comparability(
            "compare", f"The two runs may be compared, not averaged: {_inits(*inits)}{_seeds(*seeds)}{mind}."
        )
    if seeds[0] == seeds[1]:
        return Comparability(
            "neither",
            f"The two runs are one measurement made twice (seed {seeds[0]}): there is nothing to average{mind}.",
        )
    return Comparability(
        "average", f"The two runs may be averaged: only the seed differs ({seeds[0]} and {seeds[1]}){mind}."
    )


def _named(config: Mapping[str, Any]) -> str:
    keys = [key for key in config if not under(key, ("seed", "init"))]
    keys.sort(key=lambda key: under(key, ("callbacks",)))  # what those are told follows from the others
    if not keys:
        return "their fingerprints say that more than the seed and the initialisation differs"
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return f"more differs than the seed and the initialisation ({', '.join(keys[:NAMED])}{more})"


def _inits(one: Any, other: Any) -> str:
    if one == other:
        return f"only what the initialisation ({one}) was pretrained by differs"
    return f"only the initialisation differs ({one} and {other})"


def _seeds(one: Any, other: Any) -> str:
    return f", with the same seed ({one})" if one == other else f", and the seed ({one} and {other})"


def _mind(groups: Mapping[str, Any]) -> str:
    """What no fingerprint holds and yet can change a result."""
    others = [name for name in ("code", "packages", "hardware") if groups.get(name)]
    return f"; mind that {' and '.join(others)} differ" if others else ""
