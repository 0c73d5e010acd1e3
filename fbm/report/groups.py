"""Runs -> rows: which runs may be averaged, how a row is called, and within what it may be compared."""

from collections.abc import Iterable, Sequence
from typing import Any

from fbm.report.labels import (
    FRACTION,
    FROZEN,
    KNOWN,
    differing_keys,
    natural_sort_key,
    order,
    printable,
    share,
    variant,
)
from fbm.report.read.runs import Run
from fbm.utils.errors import UserError

Group = Sequence[Run]


def groups(runs: Sequence[Run]) -> list[Group]:
    """Runs that differ in the seed alone, together, those of a group by seed. UserError for doubles.

    A run of which a part of the test set was tested is never in one group with a whole one.
    Groups are in the order of their initialisation, label fraction, and the values that tell them apart.
    The config fingerprint holds that of the pretraining, so weights of unlike pretrainings are never in one group.
    """
    grouped: dict[tuple[str, str, str], dict[int, Run]] = {}
    for run in runs:
        group = grouped.setdefault((run.init, run.summary.fingerprints.config, run.partial), {})
        double = group.setdefault(run.summary.seed, run)
        if double is not run:
            raise UserError(
                f"{double.where} and {run.where} are the same run twice (init {run.init}, seed "
                f"{run.summary.seed}, same config): remove one of them or name the runs to report."
            )
    made: list[Group] = [[seeds[seed] for seed in sorted(seeds)] for seeds in grouped.values()]

    def order_of(group: Group) -> tuple[Any, ...]:
        """The fingerprint, meaningless to a reader, decides only between groups of equal values."""
        run, rivals = group[0], _rivals(group, made)
        started = differing_keys([_declared(rival) for rival in rivals])
        values = [*_values(group, _keys(rivals)), *map(_declared(group)[0].get, started)]
        last = (run.partial, run.summary.fingerprints.config)
        return (*order(run.init), run.label_fraction or 0, [*map(natural_sort_key, values)], last)

    return sorted(made, key=order_of)


def name(group: Group, among: Sequence[Group]) -> str:
    """The initialisation, and what sets the group apart from others of it except the share of labels."""
    rivals = _rivals(group, among)
    init = KNOWN.get(group[0].init, group[0].init)
    if elsewhere := group[0].pretrained_on:
        init += f" on {elsewhere}"
    keys = _naming(rivals, [key for key in _keys(rivals) if key != FRACTION])
    alike = [rival for rival in rivals if rival[0].partial == group[0].partial]
    twins = [rival for rival in alike if _values(rival, [*keys, FRACTION]) == _values(group, [*keys, FRACTION])]
    fingerprint = group[0].summary.fingerprints.config
    apart = [variant(group[0].settings, keys, fingerprint)] if keys else []
    if len(twins) > 1:  # what sets them apart is not in the config: it is their pretraining
        keys = differing_keys([_declared(twin) for twin in twins])
        apart.append(variant(_declared(group)[0], keys, fingerprint))
    if group[0].partial:
        apart.append(f"tested on {group[0].partial}")
    return f"{init} ({', '.join(apart)})" if apart else init


def _rivals(group: Group, among: Sequence[Group]) -> list[Group]:
    """The groups of the same initialisation, itself too."""
    return [rival for rival in among if rival[0].init == group[0].init]


def _declared(group: Group) -> list[dict[str, str]]:
    """What a study declares for each run, printable, and the name of the pretraining run that it started from."""
    return [printable({**run.declared, "pretraining": (run.origin or "").rsplit("/", 1)[-1]}) for run in group]


def origins(runs: Iterable[Run]) -> list[str]:
    """The distinct pretraining runs that runs start from, sorted."""
    return sorted({run.origin for run in runs if run.origin is not None})


def comparisons(among: Sequence[Group]) -> tuple[dict[str, str], str]:
    """What all groups of a comparison have in common and others have not, by comparison fingerprint, and a note on it.

    Such as `25 % of labels`, or `optim.lr=0.001`; empty texts where there is but one comparison.
    """
    compared: dict[str, list[Run]] = {}
    for group in among:
        compared.setdefault(group[0].comparison, []).extend(group)
    if len(compared) == 1:
        return dict.fromkeys(compared, ""), ""
    keys = [key for key in _keys(list(compared.values())) if key.split(".")[0] != "init"]
    tests = {runs[0].partial for runs in compared.values()}
    named_by = _naming(list(compared.values()), keys)
    within = {}
    for fingerprint, (run, *_) in compared.items():
        common = []
        if keys == [FRACTION]:
            common.append(share(run.label_fraction or 1.0))
        elif keys or len(tests) < len(compared):
            common.append(variant(run.settings, named_by, fingerprint))
        if len(tests) > 1:
            common.append(f"tested on {run.partial or 'all test clips'}")
        within[fingerprint] = ", ".join(common)
    # Fair: nothing sets them apart but the share of labels, the test and what a study declares to vary.
    declared = {FRACTION}.union(*(run.declared for group in among for run in group))
    told_apart = {(runs[0].partial, *_values(runs, keys)) for runs in compared.values()}
    named = [*keys, *(["the clips that were tested"] if len(tests) > 1 else [])]
    where = ", ".join(named) or "see their config.yaml"
    if not (set(keys) <= declared and len(told_apart) == len(compared)):
        return within, f"Not one fair comparison: rows differ in more than the initialization ({where})."
    if named == [FRACTION]:
        return within, "Initializations are compared within one share of the labels, never across shares."
    return within, f"Initializations are compared where these are equal, never across them: {where}."


def _keys(among: Sequence[Group]) -> list[str]:
    return differing_keys([[run.settings for run in group] for group in among])


def _naming(among: Sequence[Group], keys: list[str]) -> list[str]:
    """Of `keys`, those that a name shows: the protocol alone, such as `linear`, if there is one recipe for each.

    The other keys, such as the rate, belong to the recipe.
    """

    def protocols(rivals: Sequence[Group]) -> set[tuple[str | None, ...]]:
        return {(rival[0].partial, *_values(rival, [FROZEN, FRACTION])) for rival in rivals}

    return [FROZEN] if FROZEN in keys and len(protocols(among)) == len(among) else keys


def _values(group: Group, keys: Sequence[str]) -> list[str | None]:
    return [group[0].settings.get(key) for key in keys]
