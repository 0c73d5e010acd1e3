"""CSV files in full precision: shares in 0..1, empty if there is none."""

import csv
import io
from collections.abc import Mapping, Sequence

from fbm.report.comparisons import Difference
from fbm.report.read.curves import first_epoch_reaching
from fbm.report.read.runs import RunSet
from fbm.report.scarcity import Curve
from fbm.report.stats import Estimate
from fbm.report.table1 import FITTED, Table1

Record = Mapping[str, object]


def to_csv(records: Sequence[Record]) -> str:
    """Comma-separated text with a line of names; records with other keys leave cells empty."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def runs(found: RunSet) -> list[Record]:
    """One record for each finished run; metrics have their own names, such as `test/clip_top1`."""
    metrics = sorted({metric for run in found.runs for metric in run.summary.metrics})
    return [
        {
            "folder": run.where,
            "study": run.summary.study,
            "run": run.summary.run,
            "task": run.summary.task,
            "init": run.summary.init,
            "seed": run.summary.seed,
            "label_fraction": run.label_fraction,
            "tested_clips": run.tested_clips,
            "test_clips": run.summary.samples.get("test"),
            **{metric: run.summary.metrics.get(metric) for metric in metrics},
            "epochs": run.summary.epochs,
            "epochs_to_90_train": first_epoch_reaching(run, "train/top1", FITTED),
            "seconds": run.summary.seconds,
            "pretraining": run.summary.pretraining.folder if run.summary.pretraining else None,
            "config_fingerprint": run.summary.fingerprints.config,
            "comparison_fingerprint": run.summary.fingerprints.comparison,
            "data_fingerprint": run.summary.fingerprints.data,
        }
        for run in found.runs
    ]


def rows(table: Table1) -> list[Record]:
    """One record for each row of Table 1."""
    return [
        {
            "init": row.init,
            "label": row.label,
            "label_fraction": row.fraction,
            "partial_test": row.partial,
            "runs": len(row.runs),
            "seeds": _list(row.seeds),
            "missing_seeds": _list(row.missing_seeds),
            **_estimate("clip", row.clip),
            **_estimate("video", row.video),
            **_estimate("clip_gain", row.gain),
            "epochs_to_90_train_mean": row.fitted_epochs.mean if row.fitted_epochs else None,
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
            "within": difference.within,
            "init_a": difference.init_a,
            "init_b": difference.init_b,
            "label_a": difference.label_a,
            "label_b": difference.label_b,
            **_estimate("clip_difference", difference.estimate),
            "pairs": len(difference.seeds),
            "seeds": _list(difference.seeds),
            "unpaired_seeds": _list(difference.unpaired),
            "t_p": difference.t_p,
            "holm_p": difference.holm_p,
            "sign_flip_p": difference.sign_flip_p,
            "remark": difference.remark,
        }
        for difference in found
    ]


def points(curves: Sequence[Curve]) -> list[Record]:
    """One record for each point of the label-scarcity curves."""
    return [
        {
            "init": curve.init,
            "label": curve.label,
            "label_fraction": point.fraction,
            "runs": len(point.runs),
            "seeds": _list([run.summary.seed for run in point.runs]),
            **_estimate("clip", point.clip),
            **_estimate("video", point.video),
        }
        for curve in curves
        for point in curve.points
    ]


def _estimate(name: str, value: Estimate | None) -> Record:
    mean, half = (value.mean, value.half_width) if value else (None, None)
    return {f"{name}_mean": mean, f"{name}_half_width_95": half}


def _list(values: Sequence[int]) -> str:
    return " ".join(map(str, values))
