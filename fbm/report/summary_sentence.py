"""A few neutral sentences on the results."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from fbm.report import numbers
from fbm.report.comparisons import Difference
from fbm.report.labels import share
from fbm.report.stats import INTERVAL, LEVEL, estimate
from fbm.report.table1 import VISIBLE, Row, Table1, guessed, most_frequent, paired


def summary_sentence(table: Table1, differences: Sequence[Difference]) -> str:
    """The best row, its margin over random initialization, what the seeds say about it, and chance.

    If no row is above chance, or the best is not significantly better than the others of its comparison, that comes
    first.
    Where two rows do not have the same seeds, the margin is over the common ones: some seeds are easier than others.
    With several shares of labels, that for the smallest and for the largest share with a tested row. Rows of which a
    part of the test set was tested count only if there are no others, and that comes first.
    """
    tested = [row for row in table.rows if row.clip]
    if not tested:
        return "No run has been tested yet, so there is no accuracy to report."
    rows, first = [row for row in tested if not row.partial], ""
    if not rows:
        rows = tested
        first = f"Not the test set, only {' or '.join(dict.fromkeys(row.partial for row in rows))} were tested. "
    fractions = sorted({row.fraction for row in rows if row.fraction is not None})
    if len(fractions) < 2:
        return first + _sentences(rows, differences)
    ends = ((share(one), [row for row in rows if row.fraction == one]) for one in (fractions[0], fractions[-1]))
    return first + " ".join(f"With {words}: {_sentences(alike, differences)}" for words, alike in ends)


def _sentences(rows: Sequence[Row], differences: Sequence[Difference]) -> str:
    best = max(rows, key=_mean)
    level, often = guessed(len(best.runs[0].summary.classes)), most_frequent(rows)
    beaten = often or level
    below = [] if beaten is None else [row for row in rows if row.above(beaten) is False]
    sentences = []
    if len(below) == len(rows):
        what = "chance" if often is None else "always naming the most frequent class"
        sentences.append(f"No row is shown to be above {what}")
    rivals = [one for one in differences if best in (one.row, one.base) and one.row in rows and one.base in rows]
    if named := " and ".join(filter(None, (_not_distinguished(one, best) for one in rivals))):
        sentences.append(f"No row is shown to be best: {best.name} is not distinguished from {named}")
    sentences += _margins(rows, best)
    if level is not None:
        sentence = f"Chance is {numbers.percent(level)} %"
        if often is not None:
            sentence += f", always naming the most frequent class gives {numbers.percent(often)} %"
        if 0 < len(below) < len(rows):
            names = " and ".join(map(_in_sentence, below))
            sentence += f"; {names} {'are' if len(below) > 1 else 'is'} not shown to be above it"
        sentences.append(sentence)
    return ". ".join(sentences) + "."


def _not_distinguished(one: Difference, best: Row) -> str:
    """The row that the best is compared with, and why it is not shown to be worse; empty if it is."""
    rival = _in_sentence(one.base if one.row is best else one.row)
    if one.holm_p is not None:
        return "" if one.holm_p < 1 - LEVEL else f"{rival} (Holm's p = {numbers.p_value(one.holm_p)})"
    overlap = _overlap(one.row, one.base)
    if overlap is None:
        return f"{rival} (too few seeds for a test)"
    return f"{rival} (the {INTERVAL}s over seeds overlap)" if overlap else ""


def _margins(rows: Sequence[Row], best: Row) -> Iterator[str]:
    if len(rows) == 1:
        yield f"{best.name} has {numbers.percent(_mean(best))} % clip accuracy; there is no row to compare it with"
        return
    base, ours = _row(rows, "random", best), _row(rows, "ours", best)
    second = max((row for row in rows if row is not best), key=_mean)
    other = second if base is best else base
    first = f"{best.name} has the highest clip accuracy, {numbers.percent(_mean(best))} %"
    if other and best.clips.keys() != other.clips.keys():
        first += " over its own seeds"
    if other is None:
        yield f"{first}; there is no tested random initialization to compare it with"
    elif base is best:
        yield f"{first}; the next row, {second.name}, {_margin(second, best)}"
    else:
        yield f"{first}, and {_margin(best, other)}"
    if ours and base and ours is not best and base is not best:
        yield f"{ours.name} {_margin(ours, base)}"
    if len({row.comparison for row in rows}) > 1:
        yield "The rows differ in more than the initialization (see the note)"


def _row(among: Sequence[Row], init: str, best: Row) -> Row | None:
    """The row of an initialisation, rather from the comparison of the best row than from another."""
    rows = [row for row in among if row.init == init]
    return min(rows, key=lambda row: row.comparison != best.comparison, default=None)


def _margin(row: Row, base: Row) -> str:
    """How far a row is from the base over the seeds that both have: the rest of a sentence about the row."""
    pairs, called = paired(row.clips, base.clips), _in_sentence(base)
    apart = estimate(list(pairs.values()))
    if apart is None:
        return f"shares no seed with {called} ({numbers.percent(_mean(base))} %), so there is no margin between them"
    # What the table shows as equal is called equal.
    side = "above" if apart.mean > 0 else "below"
    size = "level with" if abs(apart.mean) < VISIBLE else f"{numbers.points(apart.mean)} {side}"
    if row.clips.keys() == base.clips.keys():
        overlap = _overlap(row, base)
        sure = f"the {INTERVAL}s over seeds {'overlap' if overlap else 'do not overlap'}"
        if overlap is None:
            sure = "a single run has no interval, so chance cannot be judged"
        # Pairing by seed sees more than two separate intervals, so a reader of the sentence gets it too.
        if base.init == "random" and row.gain and row.gain.half_width is not None:
            sure += f"; paired by seed {numbers.gain(row.gain)} points"
        return f"is {size} {called} ({numbers.percent(_mean(base))} %; {sure})"
    # Nothing on the rows' own intervals: they are over unlike seeds.
    mine, theirs = (numbers.percent(fmean(one.clips[seed] for seed in pairs)) for one in (row, base))
    sure = f"paired by seed {numbers.gain(apart)} points"
    if len(pairs) == 1:
        sure = "a single pair has no interval, so chance cannot be judged"
    over = f"{len(pairs)} common seed{'s' if len(pairs) > 1 else ''}"
    return f"is {size} {called} over the {over} ({mine} % against {theirs} % there; {sure})"


def _mean(row: Row) -> float:
    return row.clip.mean if row.clip else 0.0


def _in_sentence(row: Row) -> str:
    return f"{row.name[0].lower()}{row.name[1:]}"


def _overlap(row: Row, other: Row) -> bool | None:
    assert row.clip
    assert other.clip
    return row.clip.overlaps(other.clip)
