"""Table 1 and the paired differences as JSON in full precision; the same runs give the same text."""

import json
from collections.abc import Sequence
from typing import Any

from fbm.report.chance import levels
from fbm.report.comparison_table import assumptions
from fbm.report.comparisons import Difference
from fbm.report.read.curves import first_epoch_reaching
from fbm.report.read.places import shown
from fbm.report.read.runs import CLIP, VIDEO, Run, RunSet
from fbm.report.read.study import Missing
from fbm.report.stats import Estimate
from fbm.report.table1 import FITTED, Row, Table1
from fbm.report.table1_cells import PROTOCOL


def table1_json(table: Table1, found: RunSet) -> str:
    """Every row with its runs, what is missing, and what the numbers mean."""
    return _text(
        {
            "data": table.data,
            "data_fingerprint": table.rows[0].runs[0].summary.fingerprints.data,
            "classes": table.classes,
            "chance": [{"name": name, "share": level} for name, level in levels(table)],
            "test_clips": list(table.test_clips),
            "protocol": PROTOCOL,
            "rows": [_row(row) for row in table.rows],
            "notes": list(table.notes),
            "unfinished": [shown(path) for path in found.unfinished],
            "missing": [_missing(run) for run in found.missing],
            "not_in_study": found.others,
        }
    )


def comparisons_json(differences: Sequence[Difference], table: Table1) -> str:
    """Every paired difference, and what the tests assume."""
    content = {
        "metric": CLIP,
        "differences": [_difference(difference) for difference in differences],
        "assumptions": list(assumptions(differences, table)),
    }
    return _text(content)


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _row(row: Row) -> dict[str, Any]:
    return {
        "init": row.init,
        "label": row.label,
        "label_fraction": row.fraction,
        "within": row.within,
        "config_fingerprint": row.config,
        "comparison_fingerprint": row.comparison,
        CLIP: _estimate(row.clip),
        VIDEO: _estimate(row.video),
        "gain_over_random": _estimate(row.gain),
        "epochs_to_fit": _estimate(row.fitted_epochs),
        "partial_test": row.partial or None,
        "seeds": list(row.seeds),
        "missing_seeds": list(row.missing_seeds),
        "published": row.published,
        "runs": [_run(run) for run in row.runs],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "a": difference.label_a,
        "b": difference.label_b,
        "init_a": difference.init_a,
        "init_b": difference.init_b,
        "within": difference.within,
        "difference": _estimate(difference.estimate),
        "t_p": difference.t_p,
        "holm_p": difference.holm_p,
        "sign_flip_p": difference.sign_flip_p,
        "seeds": list(difference.seeds),
        "unpaired_seeds": list(difference.unpaired),
        "remark": difference.remark,
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
        "tested_clips": run.tested_clips,
        "epochs_to_fit": first_epoch_reaching(run, "train/top1", FITTED),
    }


def _missing(run: Missing) -> dict[str, Any]:
    return {
        "path": shown(run.path),
        "state": run.state,
        "stage": run.stage,
        "label": run.label,
        "values": dict(run.values),
    }
