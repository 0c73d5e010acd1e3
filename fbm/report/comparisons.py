"""Paired differences between initialisations over the seeds that both have, with two tests of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from fbm.report.read.runs import CLIP
from fbm.report.stats import Estimate, estimate
from fbm.report.table1 import Row, Table1, paired, tested

EXACT = 12  # pairs up to which all sign patterns are tried: 4096 of them
TIE = 1e-6  # accuracies are float32; a share of a million clips is a difference


@dataclass(frozen=True)
class Difference:
    """How much higher `a` is than `b` in clip accuracy, seed by seed; nothing else than the initialisation differs.

    Attributes:
        estimate: mean and interval of the differences, shares in -1..1; None without a common seed.
        t_p: two-sided paired t test; None for fewer than two pairs or without spread.
        holm_p: `t_p` corrected after Holm for all differences of its comparison.
        sign_flip_p: exact two-sided permutation test over all sign patterns; None for fewer than two pairs or more
            than twelve.
        seeds: of the pairs.
        unpaired: seeds that only one of the two has.
        within: what both have in common where the table holds several comparisons, such as `25 % of labels`.
    """

    label_a: str
    label_b: str
    init_a: str
    init_b: str
    estimate: Estimate | None
    t_p: float | None
    holm_p: float | None
    sign_flip_p: float | None
    seeds: tuple[int, ...]
    unpaired: tuple[int, ...]
    within: str

    @property
    def label(self) -> str:
        """`Pretrained (ours) - Random initialization`, with a true minus sign."""
        return f"{self.label_a} \u2212 {self.label_b}"

    @property
    def remark(self) -> str:
        """Why there is no t test; empty where there is one."""
        if len(self.seeds) < 2:
            return "no common seed" if not self.seeds else "one pair: no test"
        return "" if self.t_p is not None else "all differences equal: no t test"


def differences(table: Table1) -> tuple[Difference, ...]:
    """Every pair of rows that share a comparison fingerprint, the later row minus the earlier one."""
    return differences_of(table.rows)


def differences_of(among: Sequence[Row]) -> tuple[Difference, ...]:
    """`differences` of some rows of a table, which hold their comparisons whole."""
    families: dict[str, list[Row]] = {}
    for row in among:
        if row.clip:
            families.setdefault(row.comparison, []).append(row)
    return tuple(found for rows in families.values() for found in _family(rows))


def _family(rows: Sequence[Row]) -> list[Difference]:
    found = [_difference(row, base) for base, row in combinations(rows, 2)]
    corrected = holm([one.t_p for one in found])
    return [replace(one, holm_p=p) for one, p in zip(found, corrected, strict=True)]


def _difference(row: Row, base: Row) -> Difference:
    ours, theirs = tested(row.runs, CLIP), tested(base.runs, CLIP)
    by_seed = paired(row.runs, base.runs)
    pairs = list(by_seed.values())
    return Difference(
        *(row.name, base.name, row.init, base.init),
        estimate=estimate(pairs),
        t_p=paired_t(pairs),
        holm_p=None,
        sign_flip_p=sign_flip(pairs),
        seeds=tuple(by_seed),
        unpaired=tuple(sorted(ours.keys() ^ theirs.keys())),
        within=row.within,
    )


def paired_t(pairs: Sequence[float]) -> float | None:
    """p of the two-sided t test that the mean difference is 0; None for fewer than two pairs or without spread."""
    if len(pairs) < 2 or max(pairs) - min(pairs) < TIE:
        return None
    from scipy.stats import ttest_1samp  # of the differences: that is ttest_rel

    return float(ttest_1samp(pairs, 0).pvalue)


def sign_flip(pairs: Sequence[float]) -> float | None:
    """Share of all 2^n sign patterns whose mean is as far from 0 as that of the differences; None outside 2..12 pairs.

    Not `scipy.stats.permutation_test`: equal differences of float32 accuracies are not equal to its tolerance.
    """
    if not 2 <= len(pairs) <= EXACT:
        return None
    import numpy as np

    means = np.array(list(product((1, -1), repeat=len(pairs)))) @ np.array(pairs) / len(pairs)
    return float(np.mean(np.abs(means) >= abs(means[0]) - TIE))


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """p values corrected for their number after Holm (1979); None stays None and does not count."""
    known = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    least = 0.0
    for rank, (p, at) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        corrected[at] = least
    return corrected
