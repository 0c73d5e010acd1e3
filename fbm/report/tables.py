"""Table 1 as cells, Markdown, JSON and on the terminal."""

import json
from typing import TYPE_CHECKING, Any

from fbm.report import numbers
from fbm.report.curves import first_epoch_reaching
from fbm.report.runs import Found, Run, shown
from fbm.report.stats import INTERVAL, Estimate
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
# The terminal's columns: place in HEAD, and a name short enough for 80 characters.
SHORT_HEAD = {0: HEAD[0], 1: "Clip, %", 2: "Video, %", 3: "Gain", 4: "Runs", 7: "90 % train", 8: "Paper*"}
PROTOCOL = {
    CLIP: "clip accuracy (the paper's protocol): top-1 over the middle 16 frames of each 32-frame chunk",
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


def caption(table: Table1) -> str:
    """What the numbers were measured on."""
    clips = " or ".join(numbers.count(n) for n in table.test_clips) or "an unknown number of"
    return (
        f"Action recognition on the test set of {table.data or 'an unnamed data set'}: {clips} clips, "
        f"{numbers.count(table.classes)} classes. Mean ± {INTERVAL} over seeds (Student t)."
    )


def markdown(table: Table1, found: Found) -> str:
    """Table 1 as a Markdown page of its own."""
    lines = ["# Table 1", "", caption(table), ""]
    for line in (HEAD, tuple("---" for _ in HEAD), *map(cells, table.rows)):
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |")
    lines += ["", *(f"**{note}**  " for note in table.notes)]
    lines += [f"- {text}" for text in PROTOCOL.values()]
    lines += [f"- unfinished, not in the table: {shown(path)}" for path in found.unfinished]
    return "\n".join(lines) + "\n"


def as_json(table: Table1, found: Found) -> str:
    """Table 1 in full precision; the same runs give the same text."""
    content = {
        "data": table.data,
        "data_fingerprint": found.runs[0].summary.fingerprints.data,
        "classes": table.classes,
        "test_clips": list(table.test_clips),
        "protocol": PROTOCOL,
        "rows": [_row(row) for row in table.rows],
        "notes": list(table.notes),
        "unfinished": [shown(path) for path in found.unfinished],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _row(row: Row) -> dict[str, Any]:
    return {
        "init": row.init,
        "label": row.label,
        "config_fingerprint": row.config,
        "comparison_fingerprint": row.comparison,
        CLIP: _estimate(row.clip),
        VIDEO: _estimate(row.video),
        "gain_over_random": _estimate(row.gain),
        "epochs_to_fit": _estimate(row.fitted_epochs),
        "seeds": list(row.seeds),
        "missing_seeds": list(row.missing_seeds),
        "published": row.published,
        "runs": [_run(run) for run in row.runs],
    }


def _estimate(value: Estimate | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"mean": value.mean, "half_width_95": value.half_width, "n": len(value.values)}


def _run(run: Run) -> dict[str, Any]:
    return {
        "path": run.where,
        "seed": run.summary.seed,
        CLIP: run.accuracy(CLIP),
        VIDEO: run.accuracy(VIDEO),
        "epochs_to_fit": first_epoch_reaching(run, "train/top1", FITTED),
    }


def terminal(table: Table1) -> "Table":
    """Table 1 for a rich console: the columns that fit 80 characters; `make.tell` names the missing seeds."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title="Table 1", caption=caption(table), caption_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    drawn.pad_edge, drawn.collapse_padding = False, True
    for at, head in SHORT_HEAD.items():
        drawn.add_column(head, justify="right" if at else "left", no_wrap=at > 0)
    for row in table.rows:
        drawn.add_row(*(Text(cells(row)[at]) for at in SHORT_HEAD))  # Text: labels may hold brackets
    return drawn
