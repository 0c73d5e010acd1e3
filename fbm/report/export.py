"""CSV and JSON in full precision, shares in 0..1; the same runs give the same text."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fbm.report.comparisons import Difference
from fbm.report.read.progress import state
from fbm.report.read.runs import CLIP, Run, RunSet
from fbm.report.scarcity import Curve
from fbm.report.stats import Estimate
from fbm.report.table1 import Table1
from fbm.report.table1_table import PROTOCOL, levels
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write, shown

Record = Mapping[str, object]


def to_csv(records: Sequence[Record]) -> str:
    """Comma-separated text with a line of names; None and what a record lacks are empty."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def write_csv(file: Path, records: Sequence[Record]) -> None:
    """Write records as `to_csv` does, whole or not at all. UserError where the file cannot be written."""
    try:
        with atomic_write(file) as draft:
            draft.write(to_csv(records).encode())
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}; choose another --csv") from error


def runs(found: Sequence[Run]) -> list[Record]:
    """One record for each finished run; metrics have their own names, such as `test/clip_top1`."""
    metrics = sorted({metric for run in found for metric in run.summary.metrics})
    intervals = sorted({metric for run in found for metric in run.summary.intervals})
    return [
        {
            "folder": run.where,
            **{name: getattr(run.summary, name) for name in ("study", "run", "task", "init", "seed")},
            "label_fraction": run.label_fraction,
            "tested_clips": run.tested_clips,
            "test_clips": run.summary.samples.get("test"),
            **{metric: run.summary.metrics.get(metric) for metric in metrics},
            **{f"{name}_{end}_95": value for name in intervals for end, value in _ends(run, name)},
            "epochs": run.summary.epochs,
            "epochs_to_90_train": run.fitted_epoch,
            "seconds": run.summary.seconds,
            "pretraining": run.summary.pretraining.folder if run.summary.pretraining else None,
            "config_fingerprint": run.summary.fingerprints.config,
            "comparison_fingerprint": run.summary.fingerprints.comparison,
            "data_fingerprint": run.summary.fingerprints.data,
        }
        for run in found
    ]


def _ends(run: Run, metric: str) -> Iterable[tuple[str, float | None]]:
    """The ends of an accuracy's interval over test groups; None where the run has none."""
    return zip(("low", "high"), run.summary.intervals.get(metric, (None, None)), strict=True)


def rows(table: Table1) -> list[Record]:
    """One record for each row of Table 1."""
    return [
        {
            "init": row.init,
            "label": row.label,
            "label_fraction": row.fraction,
            "partial_test": row.partial or None,
            "runs": len(row.runs),
            "seeds": row.seeds,
            "missing_seeds": row.missing_seeds,
            **_columns("clip", row.clip),
            **_columns("video", row.video),
            **_columns("clip_gain", row.gain),
            "epochs_to_90_train_mean": row.fitted_epochs and row.fitted_epochs.mean,
            "epochs_to_90_train_reached": len(row.fitted_epochs.values) if row.fitted_epochs else 0,
            "published": row.published,
            "config_fingerprint": row.config,
            "comparison_fingerprint": row.comparison,
        }
        for row in table.rows
    ]


def differences(found: Sequence[Difference]) -> list[Record]:
    """One record for each paired difference."""
    return [
        {
            "within": one.within,
            "init_a": one.row.init,
            "init_b": one.base.init,
            "label_a": one.row.name,
            "label_b": one.base.name,
            **_columns("clip_difference", one.estimate),
            "pairs": len(one.seeds),
            "seeds": one.seeds,
            "unpaired_seeds": one.unpaired,
            "t_p": one.t_p,
            "holm_p": one.holm_p,
            "sign_flip_p": one.sign_flip_p,
            "seeds_for_5_points": one.seeds_needed,
            "remark": one.remark,
        }
        for one in found
    ]


def points(curves: Sequence[Curve]) -> list[Record]:
    """One record for each point of the label-scarcity curves."""
    return [
        {
            "init": curve.init,
            "label": curve.label,
            "label_fraction": fraction,
            "runs": len(row.runs),
            "seeds": row.seeds,
            **_columns("clip", row.clip),
            **_columns("video", row.video),
        }
        for curve in curves
        for fraction, row in curve.rows.items()
    ]


def table1_json(table: Table1, found: RunSet) -> str:
    """Every row with its runs, what is missing, and what the numbers mean."""
    missing = []
    for run in found.missing:
        stage, label, values = (run.job.stage, run.job.label, run.job.values) if run.job else ("", "", {})
        place = {"path": shown(run.path), "state": state(run.path)}
        missing.append({**place, "stage": stage, "label": label, "values": values})
    return _to_json(
        {
            "data": table.data,
            "data_fingerprint": table.data_fingerprint,
            "classes": table.classes,
            "chance": [{"name": name, "share": level} for name, level in levels(table)],
            "test_clips": table.test_clips,
            "protocol": PROTOCOL,
            "rows": [
                {**record, "within": row.within, "runs": [_finite(run) for run in runs(row.runs)]}
                for record, row in zip(rows(table), table.rows, strict=True)
            ],
            "notes": table.notes,
            "unfinished": [shown(run.path) for run in found.missing if run.started],
            "missing": missing,
            "not_in_study": found.others,
        }
    )


def comparisons_json(found: Sequence[Difference], assumptions: Sequence[str]) -> str:
    """Every paired difference, and what the tests assume."""
    return _to_json({"metric": CLIP, "differences": differences(found), "assumptions": assumptions})


def _columns(name: str, value: Estimate | None) -> Record:
    """An estimate in two columns."""
    return {f"{name}_mean": value and value.mean, f"{name}_half_width_95": value and value.half_width}


def cell(value: object) -> object:
    """A value of a record as a table can hold it: of a list its values, apart by spaces."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else value


def _finite(record: Record) -> Record:
    """JSON has neither nan nor infinity, which a metric may be."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }


def _to_json(content: Record) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
