"""The table of probes, from `probes.json` to page and terminal."""

import json

import pytest

from fbm.report.read.runs import find
from fbm.report.results import results
from fbm.report.table import Table
from fbm.utils.errors import UserError
from tests.report.fake import fake_run
from tests.report.full_study import full_study, probes


def read(top) -> Table:
    fake_run(top / "classified", task="classify")
    table = results(find([top])).probes
    assert table
    return table


def test_the_table_of_parts_and_factors(tmp_path):
    table = results(find([full_study(tmp_path, fractions=(1.0,))])).probes
    assert table
    assert table.head == ("Part of the feature", "motion", "object", "scene", "Effective rank")
    ours, autoencoder = table.rows[:7], table.rows[7:]
    assert [row[0] for row in ours] == [
        *("disentangle-None-seed0", "motion", "foreground", "background", "all", "all, untrained", "chance")
    ]
    assert [row[0] for row in autoencoder] == ["autoencode-None-seed0", "all", "all, untrained", "chance"]
    assert ours[0][1:] == ("",) * 4
    assert ours[1] == ("motion", "62 (54 to 70)", "14 (6 to 22)", "14 (6 to 22)", "16.0")
    assert [row[-1] for row in ours[1:]] == ["16.0", "20.0", "20.0", "13.0", "3.5", ""]
    assert ours[-1] == ("chance", "16.7", "12.5", "12.5", "")
    assert table.kinds == ["", "num", "num", "num", "num"]
    assert "95 % percentile bootstrap over test groups, 1000 resamples" in table.caption
    assert "probes are trained on 288 clips, tested on 126" in table.remarks


def test_no_probes_no_table(tmp_path):
    fake_run(tmp_path / "demo", task="disentangle", init=None)
    fake_run(tmp_path / "demo")
    assert results(find([tmp_path])).probes is None


def test_other_data_is_said(tmp_path):
    run = fake_run(tmp_path / "demo", task="disentangle", init=None, data="d1")
    probes(run, "disentangle", ("all",), data="d2")
    assert "probed on other data than the run's (fingerprint d2)" in read(tmp_path).rows[0][0]


def test_class_alone_on_real_data(tmp_path):
    run = fake_run(tmp_path / "demo", task="disentangle", init=None)
    content = {
        "run": "r", "task": "disentangle", "data": "d1", "split": "test", "interval": "i",
        "probes": [
            {"part": "motion", "factor": "class", "accuracy": 0.5, "low": 0.4, "high": 0.6, "chance": 0.1,
             "classes": 24, "train_clips": 9, "test_clips": 9},
        ],
    }  # fmt: skip
    (run / "probes.json").write_text(json.dumps(content))
    table = read(tmp_path)
    assert table.head == ("Part of the feature", "class", "Effective rank")
    assert table.rows[1:] == (("motion", "50 (40 to 60)", "–"), ("chance", "10.0", ""))


def test_the_diagonality_of_an_earlier_fbm_is_shown(tmp_path):
    run = fake_run(tmp_path / "demo", task="disentangle", init=None, data="d1")
    probes(run, "disentangle", ("motion", "foreground", "background", "all"))
    content = json.loads((run / "probes.json").read_text())
    del content["scores"]
    content["diagonality"] = {"value": 0.41, "low": 0.30, "high": 0.52}
    (run / "probes.json").write_text(json.dumps(content))
    assert read(tmp_path).rows[0][0].endswith("; diagonality 0.41 (0.30 to 0.52)")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "JSON"), ('{"probes": []}', "run: "), ("[]", "object"), ("half", "JSON"), ("share", "accuracy")],
)
def test_damaged_probes_are_named_in_one_line(tmp_path, text, reason):
    study = full_study(tmp_path, fractions=(1.0,))
    file = study / "disentangle-None-seed0" / "probes.json"
    whole = file.read_text()
    file.write_text({"half": whole[: len(whole) // 2], "share": whole.replace("0.62", "6.2")}.get(text, text))
    with pytest.raises(UserError, match=r"disentangle-None-seed0/probes.json: damaged probes") as caught:
        results(find([study]))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
