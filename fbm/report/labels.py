"""Names of rows, and the config keys in which they differ."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fbm.config.keys import NON_SEMANTIC_KEYS, flatten, under
from fbm.config.renamed import NOW, with_targets

KNOWN = {
    "random": "Random initialization",
    "autoencoder": "Pretrained (autoencoder)",
    "ours": "Pretrained (ours)",
    "ours_mask": "Pretrained (ours, predicted masks)",
}
# A key with one of these as a whole word of its last part names a place or an instance, no choice.
INSTANCE_WORDS = {"seed", "seeds", "name", "run", "study", "path", "dir", "folder", "root", "file", "id"}
INSTANCE_WORDS |= {"checkpoint", "pretrained", "workers", "overwrite", "test"}
CHOICES = {"data.name", "masks.name"}  # although they are names
# Which settings name a row first: what is learnt, of what, by what, how long. Callbacks and the machine come last.
MATTERS = ("task", "data", "masks", "encoder", "optim", "schedule", "init", "trainer.max_epochs", "trainer")
LAST = ("callbacks", *(f"trainer.{key}" for key in ("accelerator", "devices", "num_nodes", "strategy", "precision")))
TESTED = "trainer.limit_test_batches"  # its effect shows in the number of clips
FRACTION = "data.label_fraction"
MOST_KEYS = 3
FROZEN = "task.encoder_gradient"  # 0 is a linear probe
FINE_TUNED, LINEAR = "fine-tuned", "linear"  # protocols of a classification


def order(init: str) -> tuple[int, str]:
    """Sort key of an initialisation: random, autoencoder, ours, then the others by name."""
    known = list(KNOWN)
    return (known.index(init) if init in KNOWN else len(known), init)


def natural_sort_key(value: str | None) -> tuple[int, float, str]:
    """Sort key of a printed config value: nothing first, then numbers as numbers, then everything else as text."""
    try:
        number = float(value or "nan")
    except ValueError:
        number = math.nan
    if math.isnan(number):
        return (0 if value is None else 2, 0.0, value or "")
    return (1, number, "")


def printable(config: Mapping[str, Any]) -> dict[str, str]:
    """Nested config to dotted keys and printable values; lists count as one value."""
    settings = with_targets(flatten(dict(config)), NOW)
    return {key: str(value) for key, value in settings.items() if value != {}}


def differing_keys(groups: Sequence[Sequence[Mapping[str, str]]]) -> list[str]:
    """Keys whose value tells the groups apart, what matters most first. A group has one fingerprint.

    A key that varies inside a group is not part of the fingerprint (machine settings), so it tells nothing. Nor does
    one that only repeats another: `encoder.size` of `data.size`, what callbacks monitor of `monitor.metric`.

    Args:
        groups: each of `printable` configs.
    """
    kept: dict[tuple[str | None, ...], list[str]] = {}
    for key in sorted({key for group in groups for config in group for key in config}, key=_weight):
        inside = [{config.get(key) for config in group} for group in groups]
        distinct = set[str | None]().union(*inside)
        is_path = any("/" in (value or "") for value in distinct)
        if _names_an_instance(key) or is_path or len(distinct) == 1 or any(len(values) > 1 for values in inside):
            continue
        alike, last = kept.setdefault(tuple(group[0].get(key) for group in groups), []), key.rpartition(".")[2]
        if not any(key.startswith("callbacks.") or other.rpartition(".")[2] == last for other in alike):
            alike.append(key)
    return sorted((key for alike in kept.values() for key in alike), key=_weight)


def _weight(key: str) -> tuple[int, str]:
    if under(key, LAST):
        return len(MATTERS) + 1, key
    return next((at for at, part in enumerate(MATTERS) if under(key, (part,))), len(MATTERS)), key


def _names_an_instance(key: str) -> bool:
    named = INSTANCE_WORDS.intersection(key.lower().rpartition(".")[2].split("_"))
    return key == TESTED or under(key, NON_SEMANTIC_KEYS) or (bool(named) and key not in CHOICES)


def protocol_of(encoder_gradient: float | str) -> str:
    """The protocol of a classification, by the factor on its encoder's gradient."""
    return LINEAR if float(encoder_gradient) == 0 else FINE_TUNED


def _setting(config: Mapping[str, str], key: str) -> str:
    value = config.get(key, "absent")
    if key == FROZEN and value in ("0", "0.0", "1", "1.0"):
        return protocol_of(value)
    return f"{key}={value}"


def variant(config: Mapping[str, str], keys: Sequence[str], fingerprint: str) -> str:
    """What sets one `printable` config of an initialisation apart: `optimizer.lr=0.001`, else its fingerprint."""
    parts = [_setting(config, key) for key in keys[:MOST_KEYS]]
    if len(keys) > MOST_KEYS:
        parts.append(f"and {len(keys) - MOST_KEYS} more")
    return ", ".join(parts) or f"config {fingerprint[:8]}"


def share(fraction: float) -> str:
    """A share of the labels in words: `25 % of labels`."""
    return f"{100 * fraction:g} % of labels"
