"""Table 1 as cells, as a sheet and on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fbm.report import numbers
from fbm.report.chance import levels
from fbm.report.labels import share
from fbm.report.origins import origins, shared
from fbm.report.read.runs import Found
from fbm.report.sheet import Sheet
from fbm.report.stats import INTERVAL
from fbm.report.table1 import CLIP, FITTED, VIDEO, Row, Table1

if TYPE_CHECKING:
    from rich.table import Table

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
# Places in HEAD, and names short enough for 80 characters or a page; the terminal's gains are among its differences.
CLIPS, VIDEOS, GAIN, MISSING, EPOCHS, PAPER = 1, 2, 3, 6, 7, 8
TEX_HEAD = {
    0: HEAD[0],
    1: "Clip, %",
    2: "Video, %",
    GAIN: "Gain",
    4: "Runs",
    6: HEAD[6],
    7: "90 % train",
    PAPER: "Paper",
}
SHORT_HEAD = {at: head for at, head in TEX_HEAD.items() if at not in (GAIN, 6)} | {PAPER: "Paper*"}
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
    """One row of Table 1 as a reader sees it, in the order of HEAD."""
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
    """Places in HEAD of the columns that tell something: neither empty in every row, nor the one before once more."""
    rows = table.rows
    told = {
        VIDEOS: any(row.video and (row.clip is None or row.video.values != row.clip.values) for row in rows),
        GAIN: any(row.gain for row in rows),
        MISSING: any(row.missing_seeds for row in rows),
        EPOCHS: any(row.fitted_epochs for row in rows),
        PAPER: any(row.published is not None for row in rows),
    }
    return [at for at in range(len(HEAD)) if told.get(at, True)]


def _protocol(table: Table1) -> list[str]:
    """What the columns mean, of those that are there."""
    of = {VIDEO: VIDEOS, "gain": GAIN, "epochs": EPOCHS, "paper": PAPER}
    there = columns(table)
    said = [text for key, text in PROTOCOL.items() if of.get(key, CLIPS) in there]
    if VIDEOS not in there and any(row.video for row in table.rows):
        said.append("video accuracy is the same as clip accuracy in every run: a clip a video")
    return said


def _body(table: Table1, places: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """The cells of these columns, and below them what an accuracy is to be held against."""
    rows = [tuple(cells(row)[at] for at in places) for row in table.rows]
    for name, level in levels(table):
        filled = {0: name, CLIPS: numbers.percent(level)}
        rows.append(tuple(filled.get(at, "") for at in places))
    return tuple(rows)


def caption(table: Table1) -> str:
    """What the numbers were measured on, and what their intervals are over."""
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
    """A clause on rows whose seeds all start from one pretraining: their intervals leave out how that varies."""
    pretrained = [row for row in table.rows if len(row.runs) > 1 and origins(row.runs)]
    sharing = [row for row in pretrained if shared([row.runs])]
    if not sharing:
        return ""
    if sharing == pretrained:
        return "; all seeds of a pretrained row share one pretraining"
    return f"; all seeds of {', '.join(row.label for row in sharing)} share one pretraining"


def absent(found: Found) -> list[str]:
    """A line for each run that is not there, and one for those that are there and do not count."""
    lines = [f"{run.state}, not in the table: {run}" for run in found.missing]
    if found.others:
        plural = "run here is" if found.others == 1 else "runs here are"
        lines.append(f"{found.others} {plural} not part of the study")
    return lines


def sheet(table: Table1, found: Found) -> Sheet:
    """Table 1 with everything that belongs to it."""
    places = columns(table)
    head, rows = tuple(HEAD[at] for at in places), _body(table, places)
    return Sheet("Table 1", caption(table), head, rows, table.notes, (*_protocol(table), *absent(found)))


def tex_sheet(table: Table1, found: Found) -> Sheet:
    """Table 1 with fewer and shorter columns."""
    places = [at for at in columns(table) if at in TEX_HEAD]
    head, rows = tuple(TEX_HEAD[at] for at in places), _body(table, places)
    return Sheet("Table 1", caption(table), head, rows, table.notes, (*_protocol(table), *absent(found)))


def terminal(table: Table1) -> "Table":
    """Table 1 for a rich console: the columns that fit 80 characters; `tell` names the missing seeds.

    With several shares of labels an initialisation is a line of its own, and the paper's accuracies are left out.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title="Table 1", caption=caption(table), caption_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    drawn.pad_edge, drawn.collapse_padding = False, True
    several = len(table.fractions) > 1
    there = columns(table)
    heads = {at: head for at, head in SHORT_HEAD.items() if at in there and not (several and at == PAPER)}
    for at, head in heads.items():
        drawn.add_column(head, justify="right" if at else "left", no_wrap=at > 0)
    said = ""
    for row in table.rows:
        if several and row.name != said:
            said = row.name
            drawn.add_row(Text(said, style="bold"))  # Text: labels may hold brackets
        first = share(row.fraction) if several and row.fraction is not None else row.label
        drawn.add_row(Text(first), *(Text(cells(row)[at]) for at in heads if at))
    for name, level in levels(table):
        drawn.add_row(Text(name), Text(numbers.percent(level)))
    return drawn
