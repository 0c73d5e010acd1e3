"""Table 1 as formatted cells: in full, for LaTeX and for the terminal."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from fbm.report import numbers
from fbm.report.labels import share
from fbm.report.read.progress import progress
from fbm.report.read.runs import CLIP, FITTED, VIDEO, RunSet
from fbm.report.stats import INTERVAL
from fbm.report.table import Table
from fbm.report.table1 import Row, Table1, guessed, most_frequent


class Column(NamedTuple):
    """A column of Table 1: its cells, its heading, and those for LaTeX and for 80 characters, empty to leave it out."""

    cell: Callable[[Row], str]
    head: str
    latex: str = ""
    console: str = ""


def _fitted(row: Row) -> str:
    mean, reached = (row.fitted_epochs.mean, len(row.fitted_epochs.values)) if row.fitted_epochs else (None, 0)
    return f"{numbers.decimal(mean)} ({reached} of {len(row.runs)})"


def clip_accuracy(row: Row) -> str:
    """Over seeds, or of a single run with its interval over test groups."""
    return numbers.accuracy(row.clip, row.clip_ends)


def video_accuracy(row: Row) -> str:
    """The same of videos."""
    return numbers.accuracy(row.video, row.video_ends)


COLUMNS = {
    "name": Column(lambda row: row.label, "Initialization", "Initialization", "Initialization"),
    "clip": Column(clip_accuracy, "Clip accuracy, %", "Clip, %", "Clip, %"),
    "video": Column(video_accuracy, "Video accuracy, %", "Video, %", "Video, %"),
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
    "unless a run's data.chunk_frames or test_views.clips says otherwise",
    VIDEO: "video accuracy: top-1 of the mean softmax over a video's clips",
    "interval": f"{INTERVAL} of the mean over seeds (Student t); of a single run, in brackets, over test groups "
    "(percentile bootstrap), where its summary has it",
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
    keys = [key for key in informative(table) if COLUMNS[key].console and not (several and key == "paper")]
    rows: list[tuple[str, ...]] = []
    name = ""
    for row in table.rows:
        first, *others = (COLUMNS[key].cell(row) for key in keys)
        if several and row.name != name:
            name = row.name
            rows.append((name,))
        rows.append((share(row.fraction) if several and row.fraction is not None else first, *others))
    return _table(table, [COLUMNS[key].console for key in keys], rows)


def _with_remarks(table: Table1, found: RunSet, heads: dict[str, str]) -> Table:
    keys = [key for key, head in heads.items() if head]
    rows = [tuple(COLUMNS[key].cell(row) for key in keys) for row in table.rows]
    shown = {CLIP, "interval", *informative(table)}
    remarks = [text for key, text in PROTOCOL.items() if {VIDEO: "video"}.get(key, key) in shown]
    if "video" not in shown and any(row.video for row in table.rows):
        remarks.append("video accuracy is the same as clip accuracy in every run: a clip per video")
    made = _table(table, [heads[key] for key in keys], rows)
    return replace(made, notes=table.notes, remarks=(*remarks, *missing_lines(found)))


def _table(table: Table1, head: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    """The rows, below them the levels to hold an accuracy against, and empty cells where a row is short."""
    below = [(name, numbers.percent(level)) for name, level in levels(table)]
    filled = tuple((*row, *[""] * (len(head) - len(row))) for row in (*rows, *below))
    return Table(tuple(head), filled, "Table 1", caption(table))


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


def levels(table: Table1) -> list[tuple[str, float]]:
    """What to hold an accuracy against that nothing was learnt for: names and shares in 0..1."""
    chance = guessed(table.classes)
    often = most_frequent([row for row in table.rows if not row.partial] or table.rows)
    named = {f"Chance, 1 of {numbers.count(table.classes)} classes": chance, "Always the most frequent class": often}
    return [(name, level) for name, level in named.items() if level is not None]


def caption(table: Table1) -> str:
    """What the numbers were measured on, and what the intervals are over."""
    clips = f"{' or '.join(map(numbers.count, table.test_clips)) or 'an unknown number of'} clips"
    partial = [row for row in table.rows if row.partial]
    if partial:
        parts = " or ".join(dict.fromkeys(row.partial for row in partial))
        clips = parts if len(partial) == len(table.rows) else f"{clips} ({parts} in rows that say so)"
    # Where all seeds of a row start from one pretraining, their interval leaves out its variation.
    pretrained = [row for row in table.rows if len(row.runs) > 1 and row.origins]
    sharing = [row.label for row in pretrained if row.shares_pretraining]
    rows = "a pretrained row" if len(sharing) == len(pretrained) else ", ".join(sharing)
    shared = f"; all seeds of {rows} share one pretraining" if sharing else ""
    return (
        f"Action recognition on the test set of {table.data or 'an unnamed data set'}: {clips}, "
        f"{numbers.count(table.classes)} classes. Mean ± {INTERVAL} over seeds (Student t){shared}."
    )


def missing_lines(found: RunSet) -> list[str]:
    """A line for each missing run with how far it is, and one for runs that do not count."""
    lines = [f"missing: {run}, {progress(run.path)}" for run in found.missing]
    if found.others:
        plural = "run here is" if found.others == 1 else "runs here are"
        lines.append(f"{found.others} {plural} not part of the study")
    return lines
