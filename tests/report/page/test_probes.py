import json

import pytest

from fbm.report.page.probes import probe_table
from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import find
from fbm.utils.errors import UserError
from tests.report.fake import fake_run
from tests.report.full_study import full_study, probes


def read(top):
    return probe_table(pretrainings(find([top])))


def test_the_table_of_parts_and_factors(tmp_path):
    found = read(full_study(tmp_path, fractions=(1.0,)))
    assert found
    assert found.columns == [("motion", "16.7"), ("object", "12.5"), ("scene", "12.5")]
    ours, autoencoder = found.blocks
    assert [line.part for line in ours.lines] == ["motion", "foreground", "background", "all", "all, untrained"]
    assert [line.part for line in autoencoder.lines] == ["all", "all, untrained"]
    assert ours.about == ""
    for at, line in enumerate(ours.lines[:3]):
        assert [cell and cell.diagonal for cell in line.cells] == [column == at for column in range(3)]
    motion = ours.lines[0].cells[0]
    assert motion
    assert motion[:2] == ("62.0", "54.0 to 70.0")
    assert motion.above
    assert motion.tooltip == "motion from motion: 62.0 %; chance 16.7 %, 6 classes; 288 training and 126 test clips"
    below = ours.lines[0].cells[1]
    assert below
    assert not below.above  # 6.5 to 22.5 holds the chance of 12.5
    assert [line.rank for line in ours.lines] == ["16.0", "20.0", "20.0", "13.0", "3.5"]
    assert found.intervals == ["95 % percentile bootstrap over test groups, 1000 resamples"]


def test_no_probes_no_table(tmp_path):
    fake_run(tmp_path / "demo", task="disentangle", init=None)
    assert read(tmp_path) is None


def test_other_data_is_said(tmp_path):
    run = fake_run(tmp_path / "demo", task="disentangle", init=None, data="d1")
    probes(run, "disentangle", ("all",), data="d2")
    found = read(tmp_path)
    assert found
    assert "probed on other data than the run's (fingerprint d2)" in found.blocks[0].about


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
    found = read(tmp_path)
    assert found
    assert found.columns == [("class", "10.0")]
    assert [(line.part, line.rank) for line in found.blocks[0].lines] == [("motion", "–")]


def test_the_diagonality_of_an_earlier_fbm_is_shown(tmp_path):
    run = fake_run(tmp_path / "demo", task="disentangle", init=None, data="d1")
    probes(run, "disentangle", ("motion", "foreground", "background", "all"))
    content = json.loads((run / "probes.json").read_text())
    del content["scores"]
    content["diagonality"] = {"value": 0.41, "low": 0.30, "high": 0.52}
    (run / "probes.json").write_text(json.dumps(content))
    found = read(tmp_path)
    assert found
    assert found.blocks[0].about == "diagonality 0.41 (0.30 to 0.52)"


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
        read(study)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
