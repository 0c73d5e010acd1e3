"""A few neutral sentences on the results."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from fbm.report import chance, numbers
from fbm.report.comparisons import Difference
from fbm.report.labels import share
from fbm.report.read.runs import CLIP
from fbm.report.stats import INTERVAL, LEVEL, estimate
from fbm.report.table1 import Row, Table1, paired, tested


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
    rows = [row for row in tested if not row.partial]
    partial = "" if rows else " or ".join(dict.fromkeys(row.partial for row in tested))
    first = f"Not the test set, only {partial} were tested. " if partial else ""
    rows = rows or tested
    fractions = sorted({row.fraction for row in rows if row.fraction is not None})
    if len(fractions) < 2:
        return first + _sentences(rows, differences)
    ends = ((share(one), [row for row in rows if row.fraction == one]) for one in (fractions[0], fractions[-1]))
    return first + " ".join(f"With {words}: {_sentences(alike, differences)}" for words, alike in ends)


def _sentences(rows: Sequence[Row], differences: Sequence[Difference]) -> str:
    best = max(rows, key=_mean)
    level = chance.guessed(len(best.runs[0].summary.classes))
    often = chance.most_frequent(rows)
    sentences = [*_not_above_chance(rows, level, often), *_not_best(rows, best, differences), *_margins(rows, best)]
    if level is not None:
        sentences.append(_chance(rows, level, often))
    return ". ".join(sentences) + "."


def _not_above_chance(rows: Sequence[Row], level: float | None, often: float | None) -> Iterator[str]:
    beaten = often or level
    if beaten is not None and all(chance.above(row, beaten) is False for row in rows):
        yield "No row is shown to be above " + ("chance" if often is None else "always naming the most frequent class")


def _not_best(rows: Sequence[Row], best: Row, differences: Sequence[Difference]) -> Iterator[str]:
    """A sentence if the best row is not shown to be better than rows that it may be compared with."""
    named = []
    for one in differences:
        rival = one.base if one.row is best else one.row
        if best in (one.row, one.base) and rival in rows and (why := _undecided(rival, best, one.holm_p)):
            named.append(f"{_in_sentence(rival)} ({why})")
    if named:
        yield f"No row is shown to be best: {best.name} is not distinguished from {' and '.join(named)}"


def _undecided(row: Row, best: Row, p: float | None) -> str:
    """Why two rows are not distinguished; empty if they are."""
    if p is not None:
        return "" if p < 1 - LEVEL else f"Holm's p = {numbers.p_value(p)}"
    overlap = _overlap(row, best)
    if overlap is None:
        return "too few seeds for a test"
    return f"the {INTERVAL}s over seeds overlap" if overlap else ""


def _overlap(row: Row, other: Row) -> bool | None:
    assert row.clip
    assert other.clip
    return row.clip.overlaps(other.clip)


def _chance(rows: Sequence[Row], level: float, often: float | None) -> str:
    sentence = f"Chance is {numbers.percent(level)} %"
    if often is not None:
        sentence += f", always naming the most frequent class gives {numbers.percent(often)} %"
    below = [row for row in rows if chance.above(row, often or level) is False]
    if not below or len(below) == len(rows):
        return sentence
    names = " and ".join(map(_in_sentence, below))
    return f"{sentence}; {names} {'are' if len(below) > 1 else 'is'} not shown to be above it"


def _margins(rows: Sequence[Row], best: Row) -> list[str]:
    if len(rows) == 1:
        return [f"{best.name} has {numbers.percent(_mean(best))} % clip accuracy; there is no row to compare it with"]
    first = f"{best.name} has the highest clip accuracy, {numbers.percent(_mean(best))} %"
    base = _row(rows, "random", best)
    if base is None:
        sentences = [f"{first}; there is no tested random initialization to compare it with"]
    elif base is best:
        second = max((row for row in rows if row is not best), key=_mean)
        sentences = [f"{first}{_own(best, second)}; the next row, {second.name}, {_margin(second, best)}"]
    else:
        sentences = [f"{first}{_own(best, base)}, and {_margin(best, base)}"]
    ours = _row(rows, "ours", best)
    if ours and base and ours is not best and base is not best:
        sentences.append(f"{ours.name} {_margin(ours, base)}")
    if len({row.comparison for row in rows}) > 1:
        sentences.append("The rows differ in more than the initialization (see the note)")
    return sentences


def _mean(row: Row) -> float:
    return row.clip.mean if row.clip else 0.0


def _row(among: Sequence[Row], init: str, best: Row) -> Row | None:
    """The row of an initialisation, rather from the comparison of the best row than from another."""
    rows = [row for row in among if row.init == init]
    return min(rows, key=lambda row: row.comparison != best.comparison, default=None)


def _in_sentence(row: Row) -> str:
    return f"{row.name[0].lower()}{row.name[1:]}"


def _same_seeds(row: Row, base: Row) -> bool:
    return tested(row.runs, CLIP).keys() == tested(base.runs, CLIP).keys()


def _own(row: Row, base: Row) -> str:
    return "" if _same_seeds(row, base) else " over its own seeds"


def _margin(row: Row, base: Row) -> str:
    """How far a row is from the base over the seeds that both have: the rest of a sentence about the row."""
    pairs, called = paired(row.runs, base.runs), _in_sentence(base)
    apart = estimate(list(pairs.values()))
    if apart is None:
        return f"shares no seed with {called} ({numbers.percent(_mean(base))} %), so there is no margin between them"
    # What the table shows as equal is called equal.
    side = "above" if apart.mean > 0 else "below"
    size = "level with" if abs(apart.mean) < 0.0005 else f"{numbers.points(apart.mean)} {side}"
    if _same_seeds(row, base):
        return f"is {size} {called} ({_sure(row, base)})"
    over = f"{len(pairs)} common seed{'s' if len(pairs) > 1 else ''}"
    return f"is {size} {called} over the {over} ({_sure_of_pairs(row, base)})"


def _sure(row: Row, base: Row) -> str:
    """The accuracy of a base with the same seeds, and what the seeds say about the margin."""
    overlap = _overlap(row, base)
    if overlap is None:
        sure = "a single run has no interval, so chance cannot be judged"
    else:
        sure = f"the {INTERVAL}s over seeds {'overlap' if overlap else 'do not overlap'}"
    # Pairing by seed sees more than two separate intervals, so a reader of the sentence gets it too.
    if base.init == "random" and row.gain and row.gain.half_width is not None:
        sure += f"; paired by seed {numbers.gain(row.gain)} points"
    return f"{numbers.percent(_mean(base))} %; {sure}"


def _sure_of_pairs(row: Row, base: Row) -> str:
    """Both accuracies over the common seeds, and the interval of their difference.

    Nothing on the rows' own intervals: they are over unlike seeds.
    """
    pairs = paired(row.runs, base.runs)
    both = (tested(one.runs, CLIP) for one in (row, base))
    mine, theirs = (numbers.percent(fmean(values[seed] for seed in pairs)) for values in both)
    if len(pairs) == 1:
        sure = "a single pair has no interval, so chance cannot be judged"
    else:
        sure = f"paired by seed {numbers.gain(estimate(list(pairs.values())))} points"
    return f"{mine} % against {theirs} % there; {sure}"
