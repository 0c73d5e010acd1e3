"""One sentence on what came out, in words that do not take sides."""

from fbm.report import numbers
from fbm.report.stats import INTERVAL
from fbm.report.table1 import Row, Table1


def headline(table: Table1) -> str:
    """The best row, its margin over random initialization, and whether the intervals overlap."""
    tested = [(row.clip.mean, row) for row in table.rows if row.clip]
    if not tested:
        return "No run has been tested yet, so there is no accuracy to report."
    mean, best = max(tested, key=lambda pair: pair[0])
    if len(tested) == 1:
        return f"{best.label} has {numbers.percent(mean)} % clip accuracy; there is no row to compare it with."
    said = f"{best.label} has the highest clip accuracy, {numbers.percent(mean)} %"
    base = _row(tested, "random")
    if base is None:
        sentences = [f"{said}; there is no tested random initialization to compare it with"]
    elif base is best:
        _, second = max((pair for pair in tested if pair[1] is not best), key=lambda pair: pair[0])
        sentences = [f"{said}; the next row, {second.label}, is {_margin(second, best)}"]
    else:
        sentences = [f"{said}, {_margin(best, base)}"]
    ours = _row(tested, "ours")
    if ours and base and ours is not best and base is not best:
        sentences.append(f"{ours.label} is {_margin(ours, base)}")
    if len({row.comparison for _, row in tested}) > 1:
        sentences.append("The rows differ in more than the initialization (see the note)")
    return ". ".join(sentences) + "."


def _row(tested: list[tuple[float, Row]], init: str) -> Row | None:
    rows = [row for _, row in tested if row.init == init]
    return rows[0] if rows else None


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
    return f"{said} {base.label[0].lower()}{base.label[1:]} ({numbers.percent(base.clip.mean)} %; {sure})"
