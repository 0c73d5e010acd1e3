"""The web page: one file with its pictures and styles inside, readable from disk without a network."""

import base64
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fbm.report import numbers, tables
from fbm.report.figures import BAND, VAL
from fbm.report.headline import headline
from fbm.report.provenance import provenance
from fbm.report.runs import Found, Run, shown
from fbm.report.table1 import CLIP, VIDEO, Table1

RUN_HEAD = (
    "Run", "Task", "Init", "Seed", "Test clip, %", "Test video, %", "Val clip, %",
    "Epochs", "Clips/s", "Time",
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """The two figures as files, None where there is none, and why."""

    figure2: Path | None
    figure2_says: str
    figure3: Path | None


@dataclass(frozen=True)
class Progress:
    """How a pretraining run's reconstructions came about: (caption, data URI) in order of epochs."""

    run: str
    shots: list[tuple[str, str]]


def render(table: Table1, found: Found, pictures: Pictures, command: str) -> str:
    """The page as HTML text."""
    from jinja2 import Environment, StrictUndefined

    source = files("fbm.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    studies = sorted({run.summary.study for run in found.runs if run.summary.study})
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return template.from_string(source).render(
        title=" + ".join(studies) or "fbm report",
        headline=headline(table),
        caption=tables.caption(table),
        head=tables.HEAD,
        rows=[tables.cells(row) for row in table.rows],
        notes=table.notes,
        protocol=list(tables.PROTOCOL.values()),
        figure3=pictures.figure3 and data_uri(pictures.figure3),
        band=BAND,
        figure2=pictures.figure2 and data_uri(pictures.figure2),
        figure2_says=pictures.figure2_says,
        progress=progress(found),
        run_head=RUN_HEAD,
        runs=[run_cells(run) for run in found.runs],
        unfinished=[shown(path) for path in found.unfinished],
        missing=[(row.label, numbers.names(row.missing_seeds)) for row in table.rows if row.missing_seeds],
        fingerprints=[(row.label, row.config, row.comparison) for row in table.rows],
        provenance=provenance(found.runs),
        command=command,
    )


def data_uri(picture: Path) -> str:
    """A PNG file as text to put in a page."""
    return f"data:image/png;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"


def progress(found: Found) -> list[Progress]:
    """First, middle and last epoch picture; only the lowest seed of a pretraining, to keep the page small."""
    chosen: dict[tuple[str, str], Run] = {}
    for run in sorted(found.of("disentangle", "autoencode"), key=lambda run: (run.summary.seed, run.path)):
        chosen.setdefault((run.summary.task, run.summary.fingerprints.config), run)
    shown_runs = []
    for run in chosen.values():
        shots = sorted((run.path / "gallery").glob("epoch-*.png"))
        picked = [shots[at] for at in sorted({0, len(shots) // 2, len(shots) - 1})] if shots else []
        if picked:
            shown_runs.append(Progress(run.summary.run, [(_epoch(shot), data_uri(shot)) for shot in picked]))
    return shown_runs


def _epoch(shot: Path) -> str:
    return shot.stem.replace("-", " ")


def run_cells(run: Run) -> tuple[str, ...]:
    """One line of the table of runs, in the order of RUN_HEAD."""
    summary = run.summary
    return (
        summary.run,
        summary.task,
        summary.init or numbers.DASH,
        str(summary.seed),
        numbers.percent(run.accuracy(CLIP)),
        numbers.percent(run.accuracy(VIDEO)),
        numbers.percent(run.accuracy(VAL)),
        numbers.count(summary.epochs),
        numbers.decimal(summary.throughput.get("clips_per_second")),
        numbers.duration(summary.seconds),
    )
