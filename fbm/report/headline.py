"""One sentence on what came out, in words that do not take sides."""

from collections.abc import Sequence

from fbm.report import numbers
from fbm.report.labels import share
from fbm.report.stats import INTERVAL
from fbm.report.table1 import Row, Table1


def headline(table: Table1) -> str:
    """The best row, its margin over random initialization, and whether the intervals overlap.

    With several shares of labels, that for the smallest and for the largest share with a tested row.
    """
    tested = [row for row in table.rows if row.clip]
    if not tested:
        return "No run has been tested yet, so there is no accuracy to report."
    fractions = sorted({row.fraction for row in tested if row.fraction is not None})
    if len(fractions) < 2:
        return _said(tested)
    ends = ((share(one), [row for row in tested if row.fraction == one]) for one in (fractions[0], fractions[-1]))
    return " ".join(f"With {words}: {_said(rows)}" for words, rows in ends)


def _said(tested: Sequence[Row]) -> str:
    best = max(tested, key=_mean)
    if len(tested) == 1:
        return f"{best.name} has {numbers.percent(_mean(best))} % clip accuracy; there is no row to compare it with."
    said = f"{best.name} has the highest clip accuracy, {numbers.percent(_mean(best))} %"
    base = _row(tested, "random", best)
    if base is None:
        sentences = [f"{said}; there is no tested random initialization to compare it with"]
    elif base is best:
        second = max((row for row in tested if row is not best), key=_mean)
        sentences = [f"{said}; the next row, {second.name}, is {_margin(second, best)}"]
    else:
        sentences = [f"{said}, {_margin(best, base)}"]
    ours = _row(tested, "ours", best)
    if ours and base and ours is not best and base is not best:
        sentences.append(f"{ours.name} is {_margin(ours, base)}")
    if len({row.comparison for row in tested}) > 1:
        sentences.append("The rows differ in more than the initialization (see the note)")
    return ". ".join(sentences) + "."


def _mean(row: Row) -> float:
    return row.clip.mean if row.clip else 0.0


def _row(tested: Sequence[Row], init: str, best: Row) -> Row | None:
    """The row of an initialisation, rather from the comparison of the best row than from another."""
    rows = [row for row in tested if row.init == init]
    return min(rows, key=lambda row: row.comparison != best.comparison, default=None)


def _margin(row: Row, base: Row) -> str:
    assert row.clip
    assert base.clip
    difference = row.clip.mean - base.clip.mean
    side = "above" if difference > 0 else "below"
    # What the table shows as equal is called equal.
    said = "level with" if abs(difference) < 0.0005 else f"{numbers.points(difference)} {side}"
    overlap = row.clip.overlaps(base.clip)
    if overlap is None:
        sure = "a single run has no interval, so chance cannot be judged"
    else:
        sure = f"the {INTERVAL}s over seeds {'overlap' if overlap else 'do not overlap'}"
    # Pairing by seed sees more than two separate intervals, so a reader of the headline gets it too.
    if base.init == "random" and row.gain and row.gain.half_width is not None:
        sure += f"; paired by seed {numbers.gain(row.gain)} points"
    return f"{said} {base.name[0].lower()}{base.name[1:]} ({numbers.percent(base.clip.mean)} %; {sure})"
