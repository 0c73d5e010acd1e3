"""The table of scores, from `probes.json` to Markdown and page."""

import json
from dataclasses import asdict

from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import find
from fbm.report.scores import HEAD, over_seeds, scores_table
from fbm.report.table import markdown
from fbm.runs.probes import Interval, Score, read_probes
from tests.report.fake import fake_run
from tests.report.full_study import full_study, probes

SCORES = [
    Score("table", "diagonality", Interval(0.041, -0.012, 0.06), Interval(0.0, 0.0, 0.01), 0.004),
    Score("table", "leakage", None, None, None),
    Score("swaps", "motion, swapped", Interval(0.23, 0.13, 0.33), Interval(0.17, 0.1, 0.2), 0.16, 0.1667),
    Score("similarity", "motion, foreground", Interval(0.5, 0.4, 0.6)),
    Score("dynamics", "motion", Interval(0.43, 0.36, 0.51)),
]


def test_rows_of_every_kind():
    made = scores_table([("run a", SCORES), ("run b", []), ("run c", SCORES[:1])])
    assert made
    assert [row[0] for row in made.rows] == [
        *("run a", "diagonality", "leakage", "judge: motion, swapped", "CKA: motion, foreground"),
        *("dynamic share: motion", "run c", "diagonality"),
    ]
    assert made.rows[1][1:] == ("0.04 (-0.01 to 0.06)", "0.00 (0.00 to 0.01)", "0.00", "–", "-1 to 1")
    assert made.rows[2][1:] == ("–", "–", "–", "–", "0 or more")
    assert made.rows[3][1:] == ("0.23 (0.13 to 0.33)", "0.17 (0.10 to 0.20)", "0.16", "0.17", "0 to 1")
    assert {len(row) for row in made.rows} == {len(HEAD)}
    text = markdown(made)
    assert "Read all scores together" in text
    assert "| diagonality | 0.04 (-0.01 to 0.06) |" in text


def test_means_over_seeds_beside_those_before_training(tmp_path):
    """Three runs with a motion of 0.2, 0.3 and 0.4: t quantile 4.303, deviation 0.1, over the root of 3."""
    for seed in range(3):
        run = fake_run(tmp_path, "disentangle", None, seed, config="c0")
        probes(run, "disentangle", ("motion",))
        report = json.loads((run / "probes.json").read_text())
        value = {"value": 0.2 + 0.1 * seed, "low": 0.1, "high": 0.5}
        report["scores"] = [{**asdict(SCORES[2]), "value": value}, asdict(SCORES[1])]
        (run / "probes.json").write_text(json.dumps(report))
    [group] = pretrainings(find([tmp_path]))
    made = over_seeds({group.label: [run.probes.scores for run in group.runs if run.probes]})
    assert made
    assert made.head == ("Score", "disentangle, 3 runs", "Range")
    assert made.rows == (
        ("judge: motion, swapped", "0.30 ± 0.25 (0.17)", "0 to 1"),
        ("leakage", "–", "0 or more"),
    )


def test_one_run_each_has_no_table_over_seeds(tmp_path):
    full_study(tmp_path, fractions=(1.0,))
    groups = pretrainings(find([tmp_path]))
    assert over_seeds({one.label: [run.probes.scores for run in one.runs if run.probes] for one in groups}) is None


def test_no_scores_no_table():
    assert scores_table([("run", [])]) is None
    assert scores_table([]) is None


def test_scores_come_back_from_the_file(tmp_path):
    """And a file of an earlier fbm, which has none, is read as well."""
    study = full_study(tmp_path, fractions=(1.0,))
    new, old = (read_probes(study / f"{task}-None-seed0") for task in ("disentangle", "autoencode"))
    assert new
    assert old
    assert new.scores == SCORES
    assert old.scores == []
    (tmp_path / "probes.json").write_text(old.to_json())
    assert read_probes(tmp_path) == old
    content = json.loads(new.to_json())
    assert content["scores"][0]["value"] == {"value": 0.041, "low": -0.012, "high": 0.06}
