"""Paired differences between initialisations over the seeds that both have, with two tests of each."""

from dataclasses import dataclass, replace
from itertools import combinations
from statistics import stdev

from fbm.report.stats import Estimate, estimate, holm, paired_t, seeds_needed, sign_flip
from fbm.report.table1 import Row, Table1, paired


@dataclass(frozen=True)
class Difference:
    """How much higher `row` is than `base` in clip accuracy, seed by seed; they differ in the initialisation alone.

    Attributes:
        estimate: mean and interval of the differences, shares in -1..1; None without a common seed.
        t_p: two-sided paired t test; None for fewer than two pairs or without spread.
        holm_p: `t_p` corrected after Holm for all differences of its comparison.
        sign_flip_p: exact two-sided permutation test over all sign patterns; None for fewer than two pairs or more
            than twelve.
        seeds: of the pairs.
        unpaired: seeds that only one of the two has.
    """

    row: Row
    base: Row
    estimate: Estimate | None
    t_p: float | None
    holm_p: float | None
    sign_flip_p: float | None
    seeds: tuple[int, ...]
    unpaired: tuple[int, ...]

    @property
    def seeds_needed(self) -> int | None:
        """How many pairs would find a difference of five points, see `fbm.report.stats.seeds_needed`.

        By the spread of these pairs; None for fewer than three, or where more than a thousand are needed.
        """
        pairs = self.estimate.values if self.estimate else ()
        return seeds_needed(stdev(pairs)) if len(pairs) > 2 else None

    @property
    def within(self) -> str:
        """What both have in common where the table holds several comparisons, such as `25 % of labels`."""
        return self.row.within

    @property
    def label(self) -> str:
        """`Pretrained (ours) - Random initialization`, with a true minus sign."""
        return f"{self.row.name} \u2212 {self.base.name}"

    @property
    def remark(self) -> str:
        """Why there is no t test; empty where there is one."""
        if len(self.seeds) < 2:
            return "no common seed" if not self.seeds else "one pair: no test"
        return "" if self.t_p is not None else "all differences equal: no t test"


def differences(table: Table1) -> tuple[Difference, ...]:
    """Every pair of tested rows that may be compared, the later row minus the earlier one."""
    found: list[Difference] = []
    for rows in table.comparisons:
        family = [_difference(row, base) for base, row in combinations([row for row in rows if row.clip], 2)]
        corrected = holm([one.t_p for one in family])
        found += [replace(one, holm_p=p) for one, p in zip(family, corrected, strict=True)]
    return tuple(found)


def _difference(row: Row, base: Row) -> Difference:
    by_seed = paired(row.clips, base.clips)
    pairs = list(by_seed.values())
    return Difference(
        row=row,
        base=base,
        estimate=estimate(pairs),
        t_p=paired_t(pairs),
        holm_p=None,
        sign_flip_p=sign_flip(pairs),
        seeds=tuple(by_seed),
        unpaired=tuple(sorted(row.clips.keys() ^ base.clips.keys())),
    )
