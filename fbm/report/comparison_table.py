"""Paired differences as a table, and what their tests assume."""

from collections import Counter
from collections.abc import Iterator, Sequence

from fbm.report import numbers
from fbm.report.comparisons import Difference
from fbm.report.stats import APART, EXACT, INTERVAL, POWER
from fbm.report.table import Table
from fbm.report.table1 import Table1

SEEDS = f"Seeds for {100 * APART:g} points"
HEAD = (
    *("Within", "Difference", "Clip, points", "Pairs", "Unpaired seeds"),
    *("t test p", "Holm p", "Sign-flip p", SEEDS, "Remark"),
)
CONSOLE_HEAD = ("Difference", "Clip, points", "Pairs", "t p", "Holm p", "Flip p")


def comparison_table(differences: Sequence[Difference], table: Table1) -> Table:
    """All differences, grouped by their comparison, and the assumptions of the tests."""
    caption = (
        f"Differences in test clip accuracy on {table.data or 'an unnamed data set'}, in percentage points, paired "
        f"by seed: mean ± {INTERVAL} (Student t) and three p values."
    )
    rows = tuple(cells(difference) for difference in differences)
    remarks = tuple(_assumptions(differences, table))
    within = 0 if len(_tests(differences)) > 1 else 1
    full = Table(HEAD, rows, "Paired differences", caption, remarks=remarks)
    return full.select(range(within, len(HEAD))).without_empty_columns()


def console_table(differences: Sequence[Difference]) -> Table:
    """The differences in 80 characters; comparisons.md states what the tests assume."""
    rows: list[tuple[str, ...]] = []
    within = ""
    for difference in differences:
        if difference.within != within:
            within = difference.within
            rows.append((within, *[""] * (len(CONSOLE_HEAD) - 1)))
        _, label, points, pairs, _, *ps, _, _ = cells(difference)
        rows.append((label, points, pairs, *ps))
    caption = f"Mean \u00b1 {INTERVAL} over pairs of seeds; what the tests assume: comparisons.md"
    return Table(CONSOLE_HEAD, tuple(rows), "Paired differences", caption)


def cells(difference: Difference) -> tuple[str, ...]:
    """One difference in the order of HEAD."""
    return (
        difference.within,
        difference.label,
        numbers.gain(difference.estimate),
        numbers.count(len(difference.seeds)),
        numbers.names(difference.unpaired),
        *map(numbers.p_value, (difference.t_p, difference.holm_p, difference.sign_flip_p)),
        numbers.count(difference.seeds_needed),
        difference.remark,
    )


def _tests(differences: Sequence[Difference]) -> Counter[str]:
    """How many t tests each comparison has."""
    tests = Counter[str]()
    for one in differences:
        tests[one.within] += one.t_p is not None
    return tests


def _assumptions(differences: Sequence[Difference], table: Table1) -> Iterator[str]:
    """The assumptions behind the numbers, a sentence each."""
    yield "Two rows are compared only where their configs differ in nothing but the initialization."
    yield (
        "Interval and t test (paired, two-sided) assume that the differences over seeds are independent and about "
        "normally distributed; so few seeds cannot show whether they are."
    )
    tests = _tests(differences)
    least, most = min(tests.values()), max(tests.values())
    family = "only test" if most == 1 else f"{most} tests" if least == most else f"{least} to {most} tests"
    where = "of a comparison, and not across comparisons" if len(tests) > 1 else "here"
    yield f"Holm p is the t test's p corrected for the {family} {where}."
    sizes = sorted({len(one.seeds) for one in differences if one.sign_flip_p is not None})
    smallest = "; ".join(f"{2 ** (1 - n):.3g} with {n} pairs" for n in sizes)
    yield (
        "Sign-flip p is the share of all 2^n sign patterns of the n differences with a mean at least as far from 0; "
        f"it assumes only that without an effect either sign is as likely, and is given for 2 to {EXACT} pairs."
        + (f" It cannot be smaller than {smallest}." if smallest else "")
    )
    if any(one.seeds_needed for one in differences):
        yield (
            f"{SEEDS}: with so many pairs of seeds the t test would find a true difference of {100 * APART:g} points "
            f"in {100 * POWER:g} of 100 studies, if differences spread as they do here; the spread of so few is itself "
            "uncertain."
        )
    pretraining = ""
    if any(row.shares_pretraining for row in table.rows):
        pretraining = (
            " A pretrained initialization has one pretraining run for all its seeds, so they do not speak of another "
            "pretraining either."
        )
    elif any(len(row.origins) > 1 for row in table.rows):
        pretraining = " Where seeds start from pretraining runs of their own, these vary too."
    yield (
        "All seeds share data, splits, labelled groups and test clips, so intervals and p values speak of other seeds "
        f"of the fine-tuning, not of other data.{pretraining}"
    )
