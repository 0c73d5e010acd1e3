"""Table 1 as formatted cells: in full, for LaTeX and for the terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from fbm.report import numbers
from fbm.report.chance import levels
from fbm.report.labels import share
from fbm.report.read.runs import CLIP, FITTED, VIDEO, RunSet
from fbm.report.stats import INTERVAL
from fbm.report.table import Table
from fbm.report.table1 import Row, Table1


class Column(NamedTuple):
    """A column of Table 1: its cells, its heading, and those for LaTeX and for 80 characters, empty to leave it out."""

    cell: Callable[[Row], str]
    head: str
    latex: str = ""
    console: str = ""


def _fitted(row: Row) -> str:
    mean, reached = (row.fitted_epochs.mean, len(row.fitted_epochs.values)) if row.fitted_epochs else (None, 0)
    return f"{numbers.decimal(mean)} ({reached} of {len(row.runs)})"


COLUMNS = {
    "name": Column(lambda row: row.label, "Initialization", "Initialization", "Initialization"),
    "clip": Column(lambda row: numbers.accuracy(row.clip), "Clip accuracy, %", "Clip, %", "Clip, %"),
    "video": Column(lambda row: numbers.accuracy(row.video), "Video accuracy, %", "Video, %", "Video, %"),
    "gain": Column(lambda row: numbers.gain(row.gain), "Clip gain, points", "Gain"),  # on the terminal a difference
    "runs": Column(lambda row: numbers.count(len(row.runs)), "Runs", "Runs", "Runs"),
    "seeds": Column(lambda row: numbers.names(row.seeds), "Seeds"),
    "missing": Column(lambda row: numbers.names(row.missing_seeds), "Missing seeds", "Missing seeds"),
    "epochs": Column(_fitted, f"Epochs to {100 * FITTED:.0f}\u00a0% train", "90 % train", "90 % train"),
    "paper": Column(
        lambda row: numbers.percent(row.published), "Paper: UCF-101, 24 classes, %", "Paper", "Paper*"
    ),
}  # fmt: skip
# What the numbers mean; all but two only where their column is shown.
PROTOCOL = {
    CLIP: "clip accuracy: top-1 over the middle 16 frames of each 32-frame chunk (the reference program's protocol), "
    "unless a run's data.chunk_frames says otherwise",
    VIDEO: "video accuracy: top-1 of the mean softmax over a video's clips",
    "interval": f"{INTERVAL} of the mean over seeds (Student t); none for a single run",
    "gain": "clip gain: difference in clip accuracy to random initialization, paired by seed",
    "epochs": f"epochs until train/top1 >= {FITTED:.2f}: mean over the runs that reached it (how many did)",
    "paper": "paper: published for UCF-101's 24 classes, spread not given; for reference, not measured here",
}


def full_table(table: Table1, found: RunSet) -> Table:
    """Table 1 with everything that belongs to it."""
    return _with_remarks(table, found, {key: COLUMNS[key].head for key in informative(table)})


def latex_table(table: Table1, found: RunSet) -> Table:
    """Table 1 with fewer columns and shorter headings."""
    return _with_remarks(table, found, {key: COLUMNS[key].latex for key in informative(table)})


def console_table(table: Table1) -> Table:
    """Table 1 with the columns that fit 80 characters; `print_report` names the missing seeds.

    With several shares of labels an initialisation is a heading, and the paper's accuracies are left out.
    """
    several = len(table.fractions) > 1
    heads = {key: COLUMNS[key].console for key in informative(table) if not (several and key == "paper")}
    heads = {key: head for key, head in heads.items() if head}
    rows: list[tuple[str, ...]] = []
    name = ""
    for row in table.rows:
        if several and row.name != name:
            name = row.name
            rows.append(_padded([name], heads))
        first = share(row.fraction) if several and row.fraction is not None else row.label
        rows.append((first, *cells(row, heads)[1:]))
    return Table(tuple(heads.values()), (*rows, *_levels(table, heads)), "Table 1", caption(table))


def informative(table: Table1) -> list[str]:
    """Keys of the columns to show: neither empty in every row, nor equal to the column before."""
    rows = table.rows
    shown = {
        "video": any(row.video and (row.clip is None or row.video.values != row.clip.values) for row in rows),
        "gain": any(row.gain for row in rows),
        "missing": any(row.missing_seeds for row in rows),
        "epochs": any(row.fitted_epochs for row in rows),
        "paper": any(row.published is not None for row in rows),
    }
    return [key for key in COLUMNS if shown.get(key, True)]


def cells(row: Row, keys: Iterable[str] = COLUMNS) -> tuple[str, ...]:
    """One row of Table 1."""
    return tuple(COLUMNS[key].cell(row) for key in keys)


def _with_remarks(table: Table1, found: RunSet, heads: dict[str, str]) -> Table:
    heads = {key: head for key, head in heads.items() if head}
    rows = (*(cells(row, heads) for row in table.rows), *_levels(table, heads))
    remarks = (*_protocol(table), *missing_lines(found))
    return Table(tuple(heads.values()), rows, "Table 1", caption(table), table.notes, remarks)


def _levels(table: Table1, heads: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows below the others: the levels to compare an accuracy with."""
    return [_padded([name, numbers.percent(level)], heads) for name, level in levels(table)]


def _padded(first: Sequence[str], heads: dict[str, str]) -> tuple[str, ...]:
    return (*first, *[""] * (len(heads) - len(first)))


def _protocol(table: Table1) -> list[str]:
    """What the shown columns mean."""
    shown = {CLIP, "interval", *informative(table)}
    lines = [text for key, text in PROTOCOL.items() if {VIDEO: "video"}.get(key, key) in shown]
    if "video" not in shown and any(row.video for row in table.rows):
        lines.append("video accuracy is the same as clip accuracy in every run: a clip a video")
    return lines


def caption(table: Table1) -> str:
    """What the numbers were measured on, and what the intervals are over."""
    clips = " or ".join(numbers.count(n) for n in table.test_clips) or "an unknown number of"
    clips += " clips"
    partial = [row for row in table.rows if row.partial]
    parts = " or ".join(dict.fromkeys(row.partial for row in partial))
    if partial:
        clips = parts if len(partial) == len(table.rows) else f"{clips} ({parts} in rows that say so)"
    return (
        f"Action recognition on the test set of {table.data or 'an unnamed data set'}: {clips}, "
        f"{numbers.count(table.classes)} classes. Mean ± {INTERVAL} over seeds (Student t){_one_pretraining(table)}."
    )


def _one_pretraining(table: Table1) -> str:
    """A clause on rows whose seeds all start from one pretraining, the variation of which their intervals leave out."""
    pretrained = [row for row in table.rows if len(row.runs) > 1 and row.origins]
    sharing = [row for row in pretrained if row.shares_pretraining]
    if not sharing:
        return ""
    if sharing == pretrained:
        return "; all seeds of a pretrained row share one pretraining"
    return f"; all seeds of {', '.join(row.label for row in sharing)} share one pretraining"


def missing_lines(found: RunSet) -> list[str]:
    """A line for each missing run, and one for runs that do not count."""
    lines = [f"{run.state}, not in the table: {run}" for run in found.missing]
    if found.others:
        plural = "run here is" if found.others == 1 else "runs here are"
        lines.append(f"{found.others} {plural} not part of the study")
    return lines
