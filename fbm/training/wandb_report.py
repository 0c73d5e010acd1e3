"""A study's comparison as one run on Weights & Biases: tables with intervals and tests, figures, page and files."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import wandb

from fbm.report import export
from fbm.report.make import Report
from fbm.report.page import title
from fbm.runs.files import WANDB_ID
from fbm.training.loggers.artifacts import artifact_name
from fbm.training.loggers.wandb import WandbLogger
from fbm.utils.files import write_text

PAGE = "index.html"


def log_report(report: Report, folder: Path) -> str:
    """Log a report, and say where it is.

    The run's id follows from the study, its data and the project, so repeating it updates the same run, from any
    machine. Offline, the files of an earlier attempt are moved aside, as for a resumed training.

    Args:
        folder: where the report's files are; W&B's own folder lies in it.

    Raises:
        UserError: W&B refuses its settings, or must be online and cannot.
    """
    name = title(report.results.found)
    project, entity = _place(report)
    write_text(folder / WANDB_ID, f"{_id(project, name, report.results.table1.data_fingerprint)}\n")
    logger = WandbLogger(folder, f"{name} report", name, "report", project, entity)
    logger.replay([])  # so that offline files of an earlier report are not sent beside this one's
    run = logger.experiment
    failed = True
    try:
        run.config.update(_config(report), allow_val_change=True)
        for key, records in _tables(report):
            columns: list[str | int] = list(dict.fromkeys(column for record in records for column in record))
            rows = [[export.cell(record.get(str(column))) for column in columns] for record in records]
            # Not by the logger, which takes the first rows of a resumed run for repeated ones.
            run.log({f"tables/{key}": wandb.Table(columns, rows)})
        for file in report.files:
            if file.suffix == ".png":
                run.log({f"figures/{file.stem}": wandb.Image(str(file))})
            elif file.name == PAGE:
                run.log({"page": wandb.Html(file.read_text(encoding="utf-8"), inject=False)})
        run.summary.update(_summary(report))
        artifact = wandb.Artifact(artifact_name(name, "report"), type="report")
        for file in report.files:
            artifact.add_file(str(file.resolve()), name=file.name, policy="immutable", skip_cache=True)
        run.log_artifact(artifact)
        failed = False
    finally:
        place = f"offline, `wandb sync {folder}/wandb/offline-run-*` sends it" if run.offline else run.url
        logger.close(failed)
    return f"W&B: {project}/{run.id}, {place}"


def _place(report: Report) -> tuple[str, str | None]:
    """Project and entity: of the environment, or else those that the runs were logged to."""
    configured: Any = report.results.found.runs[0].config.get("logger") or {}
    settings = configured.get("wandb") or {}
    project = os.environ.get("WANDB_PROJECT") or settings.get("project") or "fbm"
    return project, os.environ.get("WANDB_ENTITY") or settings.get("entity")


def _id(project: str, name: str, data: str) -> str:
    return f"report-{hashlib.sha256(f'{project} {name} {data}'.encode()).hexdigest()[:12]}"


def _config(report: Report) -> dict[str, Any]:
    """What was compared: the report's runs can be found by it."""
    runs, table = report.results.found.runs, report.results.table1
    return {
        "data": table.data,
        "data_fingerprint": table.data_fingerprint,
        "classes": table.classes,
        "runs": [f"{run.summary.study}/{run.summary.run}" for run in runs],
        "missing": len(report.results.found.missing),
    }


def _tables(report: Report) -> Iterator[tuple[str, Sequence[export.Record]]]:
    made = report.results
    yield "table1", export.rows(made.table1)
    if made.differences:
        yield "comparisons", export.differences(made.differences)
    if made.curves:
        yield "scarcity", export.points(made.curves)
    yield "runs", export.runs(made.found.runs)


def _summary(report: Report) -> dict[str, Any]:
    """Means with the half widths of their 95 % intervals by row, tests by pair, and what they say."""
    made = report.results
    content: dict[str, Any] = {"sentence": made.sentence, "notes": list(made.table1.notes)}
    for row in made.table1.rows:
        for kind, estimate in (("clip_top1", row.clip), ("video_top1", row.video), ("clip_gain", row.gain)):
            if estimate is not None:
                content[f"{kind}/{row.label}"] = {"mean": estimate.mean, "half_width_95": estimate.half_width}
    for one in made.differences:
        if one.estimate is not None:
            pair = " ".join(filter(None, (f"difference/{one.row.name} - {one.base.name}", one.within)))
            p_values = {"t_p": one.t_p, "holm_p": one.holm_p, "sign_flip_p": one.sign_flip_p}
            content[pair] = {"mean": one.estimate.mean, "half_width_95": one.estimate.half_width, **p_values}
    return content
