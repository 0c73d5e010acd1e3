"""Paired differences as cells and as a sheet, with what their tests assume said in words."""

from collections.abc import Iterator, Sequence

from fbm.report import numbers
from fbm.report.comparisons import EXACT, Difference
from fbm.report.origins import origins, shared
from fbm.report.sheet import Sheet, filled
from fbm.report.stats import INTERVAL
from fbm.report.table1 import Table1

HEAD = ("Difference", "Clip, points", "Pairs", "Unpaired seeds", "t test p", "Holm p", "Sign-flip p", "Remark")
WITHIN = "Within"


def head(found: Sequence[Difference]) -> tuple[str, ...]:
    """Column names; one more where there are several comparisons."""
    return (WITHIN, *HEAD) if _several(found) else HEAD


def cells(one: Difference, several: bool = False) -> tuple[str, ...]:
    """One difference as a reader sees it, in the order of `head`."""
    said = (
        one.label,
        numbers.gain(one.estimate),
        numbers.count(len(one.seeds)),
        numbers.names(one.unpaired),
        numbers.p_value(one.t_p),
        numbers.p_value(one.holm_p),
        numbers.p_value(one.sign_flip_p),
        one.remark,
    )
    return (one.within, *said) if several else said


def sheet(found: Sequence[Difference], table: Table1) -> Sheet:
    """All differences, compared within their comparison, and the assumptions."""
    names, rows = filled(head(found), tuple(cells(one, _several(found)) for one in found))
    caption = (
        f"Differences in test clip accuracy on {table.data or 'an unnamed data set'}, in percentage points, paired "
        f"by seed: mean ± {INTERVAL} (Student t) and three p values."
    )
    return Sheet("Paired differences", caption, names, rows, (), tuple(assumptions(found, table)))


def assumptions(found: Sequence[Difference], table: Table1) -> Iterator[str]:
    """What the numbers rest on, a sentence each."""
    yield "Two rows are compared only where their configs differ in nothing but the initialization."
    yield (
        "Interval and t test (paired, two-sided) assume that the differences over seeds are independent and about "
        "normally distributed; so few seeds cannot show whether they are."
    )
    yield f"Holm p is the t test's p corrected for the {_families(found)}."
    yield _sign_flips(found)
    yield (
        "All seeds share data, splits, labelled groups and test clips, so intervals and p values speak of other seeds "
        f"of the fine-tuning, not of other data. {_pretraining(table)}".rstrip()
    )


def _families(found: Sequence[Difference]) -> str:
    sizes = {sum(one.within == other.within and other.t_p is not None for other in found) for one in found}
    least, most = min(sizes, default=0), max(sizes, default=0)
    tests = "only test" if most == 1 else f"{most} tests" if least == most else f"{least} to {most} tests"
    return f"{tests} of a comparison, and not across comparisons" if _several(found) else f"{tests} here"


def _sign_flips(found: Sequence[Difference]) -> str:
    sizes = sorted({len(one.seeds) for one in found if one.sign_flip_p is not None})
    least = "; ".join(f"{2 ** (1 - n):.3g} with {n} pairs" for n in sizes)
    return (
        "Sign-flip p is the share of all 2^n sign patterns of the n differences with a mean at least as far from 0; "
        f"it assumes only that without an effect either sign is as likely, and is given for 2 to {EXACT} pairs."
        + (f" It cannot be smaller than {least}." if least else "")
    )


def _pretraining(table: Table1) -> str:
    rows = [row.runs for row in table.rows]
    if shared(rows):
        return (
            "A pretrained initialization has one pretraining run for all its seeds, so they do not speak of another "
            "pretraining either."
        )
    if any(len(origins(runs)) > 1 for runs in rows):
        return "Seeds of a pretrained initialization start from pretraining runs of their own, so these vary too."
    return ""


def _several(found: Sequence[Difference]) -> bool:
    return len({one.within for one in found}) > 1
