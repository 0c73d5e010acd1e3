"""Table 1 as formatted cells: in full, for LaTeX and for the terminal."""

from dataclasses import replace

from fbm.report import numbers
from fbm.report.chance import levels
from fbm.report.labels import share
from fbm.report.lineage import origins, shared
from fbm.report.read.runs import CLIP, VIDEO, RunSet
from fbm.report.stats import INTERVAL
from fbm.report.table import Table
from fbm.report.table1 import FITTED, Row, Table1

HEAD = (
    "Initialization",
    "Clip accuracy, %",
    "Video accuracy, %",
    "Clip gain, points",
    "Runs",
    "Seeds",
    "Missing seeds",
    f"Epochs to {100 * FITTED:.0f}\u00a0% train",
    "Paper: UCF-101, 24 classes, %",
)
# Places in HEAD, and headings short enough for a page or 80 characters; the terminal shows gains as differences.
CLIPS, VIDEOS, GAIN, MISSING, EPOCHS, PAPER = 1, 2, 3, 6, 7, 8
LATEX_HEAD = {
    0: HEAD[0],
    1: "Clip, %",
    2: "Video, %",
    GAIN: "Gain",
    4: "Runs",
    6: HEAD[6],
    7: "90 % train",
    PAPER: "Paper",
}
CONSOLE_HEAD = {at: head for at, head in LATEX_HEAD.items() if at not in (GAIN, 6)} | {PAPER: "Paper*"}
PROTOCOL = {
    CLIP: "clip accuracy: top-1 over the middle 16 frames of each 32-frame chunk (the reference program's protocol), "
    "unless a run's data.chunk_frames says otherwise",
    VIDEO: "video accuracy: top-1 of the mean softmax over a video's clips",
    "interval": f"{INTERVAL} of the mean over seeds (Student t); none for a single run",
    "gain": "clip gain: difference in clip accuracy to random initialization, paired by seed",
    "epochs": f"epochs until train/top1 >= {FITTED:.2f}: mean over the runs that reached it (how many did)",
    "paper": "paper: published for UCF-101's 24 classes, spread not given; for reference, not measured here",
}


def cells(row: Row) -> tuple[str, ...]:
    """One row of Table 1 in the order of HEAD."""
    reached = len(row.fitted_epochs.values) if row.fitted_epochs else 0
    fitted = numbers.decimal(row.fitted_epochs.mean if row.fitted_epochs else None)
    return (
        row.label,
        numbers.accuracy(row.clip),
        numbers.accuracy(row.video),
        numbers.gain(row.gain),
        numbers.count(len(row.runs)),
        numbers.names(row.seeds),
        numbers.names(row.missing_seeds),
        f"{fitted} ({reached} of {len(row.runs)})",
        numbers.percent(row.published),
    )


def columns(table: Table1) -> list[int]:
    """Places in HEAD of the columns to show: neither empty in every row, nor equal to the column before."""
    rows = table.rows
    shown = {
        VIDEOS: any(row.video and (row.clip is None or row.video.values != row.clip.values) for row in rows),
        GAIN: any(row.gain for row in rows),
        MISSING: any(row.missing_seeds for row in rows),
        EPOCHS: any(row.fitted_epochs for row in rows),
        PAPER: any(row.published is not None for row in rows),
    }
    return [at for at in range(len(HEAD)) if shown.get(at, True)]


def _protocol(table: Table1) -> list[str]:
    """What the shown columns mean."""
    of = {VIDEO: VIDEOS, "gain": GAIN, "epochs": EPOCHS, "paper": PAPER}
    shown = columns(table)
    lines = [text for key, text in PROTOCOL.items() if of.get(key, CLIPS) in shown]
    if VIDEOS not in shown and any(row.video for row in table.rows):
        lines.append("video accuracy is the same as clip accuracy in every run: a clip a video")
    return lines


def _levels(table: Table1) -> list[tuple[str, ...]]:
    """Rows below the others: the levels to compare an accuracy with."""
    empty = [""] * (len(HEAD) - 2)
    return [(name, numbers.percent(level), *empty) for name, level in levels(table)]


def caption(table: Table1) -> str:
    """What the numbers were measured on, and what the intervals are over."""
    whole = " or ".join(numbers.count(n) for n in table.test_clips) or "an unknown number of"
    partial = [row for row in table.rows if row.partial]
    parts = " or ".join(dict.fromkeys(row.partial for row in partial))
    clips = (
        f"{whole} clips"
        if not partial
        else parts
        if len(partial) == len(table.rows)
        else f"{whole} clips ({parts} in rows that say so)"
    )
    return (
        f"Action recognition on the test set of {table.data or 'an unnamed data set'}: {clips}, "
        f"{numbers.count(table.classes)} classes. Mean ± {INTERVAL} over seeds (Student t){_one_pretraining(table)}."
    )


def _one_pretraining(table: Table1) -> str:
    """A clause on rows whose seeds all start from one pretraining, the variation of which their intervals leave out."""
    pretrained = [row for row in table.rows if len(row.runs) > 1 and origins(row.runs)]
    sharing = [row for row in pretrained if shared([row.runs])]
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


def full_table(table: Table1, found: RunSet) -> Table:
    """Table 1 with everything that belongs to it."""
    return _table(table, found, {at: HEAD[at] for at in columns(table)})


def latex_table(table: Table1, found: RunSet) -> Table:
    """Table 1 with fewer columns and shorter headings."""
    shown = columns(table)
    return _table(table, found, {at: head for at, head in LATEX_HEAD.items() if at in shown})


def _table(table: Table1, found: RunSet, heads: dict[int, str]) -> Table:
    rows = [*(cells(row) for row in table.rows), *_levels(table)]
    remarks = (*_protocol(table), *missing_lines(found))
    made = Table(HEAD, tuple(rows), "Table 1", caption(table), table.notes, remarks).select(list(heads))
    return replace(made, head=tuple(heads.values()))


def console_table1(table: Table1) -> Table:
    """Table 1 with the columns that fit 80 characters; `print_report` names the missing seeds.

    With several shares of labels an initialisation is a heading, and the paper's accuracies are left out.
    """
    several = len(table.fractions) > 1
    shown = columns(table)
    heads = {at: head for at, head in CONSOLE_HEAD.items() if at in shown and not (several and at == PAPER)}
    rows: list[tuple[str, ...]] = []
    name = ""
    for row in table.rows:
        if several and row.name != name:
            name = row.name
            rows.append((name, *[""] * (len(HEAD) - 1)))
        first = share(row.fraction) if several and row.fraction is not None else row.label
        rows.append((first, *cells(row)[1:]))
    made = Table(HEAD, (*rows, *_levels(table)), "Table 1", caption(table)).select(list(heads))
    return replace(made, head=tuple(heads.values()))
