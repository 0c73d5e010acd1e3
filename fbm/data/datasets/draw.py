"""Draw groups for validation and test: a share of each class's, whole, and the same for the same seed."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

import numpy as np

from fbm.utils.errors import UserError

Group = TypeVar("Group", bound=Hashable)


def check_share(key: str, share: float, or_else: str = "") -> None:
    """Check a share of the groups, whose setting is `key`.

    Raises:
        UserError: it is negative, or leaves nothing to train on.
    """
    if not 0 <= share < 1:
        raise UserError(f"{key}={share} must be a share of at least 0 and under 1{or_else}")


def check_seed(key: str, seed: int) -> None:
    """Check the seed of a draw, whose setting is `key`.

    Raises:
        UserError: it is negative.
    """
    if seed < 0:
        raise UserError(f"{key}={seed} must be at least 0")


def quota(share: float, groups: int, left: int | None = None) -> int:
    """How many of a class's groups are about `share`: at least one, unless nothing would be left to train on.

    Args:
        left: groups that may still be drawn, if others are drawn already.
    """
    return max(0, min(max(1, round(share * groups)), (groups if left is None else left) - 1)) if share else 0


def draw(groups_of: Mapping[str, Collection[Group]], wanted: Mapping[str, int], seed: int) -> set[Group]:
    """Draw so many groups of each class, whichever other classes there are; more wanted are more of the same.

    A group may be of several classes, such as one person's videos or one file's segments. It counts for each of them,
    and is not drawn if one of them would have no group left.

    Args:
        groups_of: the groups of each class in a fixed order.
    """
    classes_of: dict[Group, list[str]] = {}
    for action, groups in groups_of.items():
        for group in groups:
            classes_of.setdefault(group, []).append(action)
    left = {action: len(groups) for action, groups in groups_of.items()}
    drawn: Counter[str] = Counter()
    chosen: set[Group] = set()
    for action in sorted(groups_of, key=lambda action: (left[action], action)):  # first where there is least choice
        groups = list(groups_of[action])
        for place in np.random.default_rng([seed, *action.encode()]).permutation(len(groups)):
            if drawn[action] >= wanted[action]:
                break
            group = groups[place]
            if group not in chosen and all(left[other] > 1 for other in classes_of[group]):
                chosen.add(group)
                drawn.update(classes_of[group])
                for other in classes_of[group]:
                    left[other] -= 1
    return chosen
