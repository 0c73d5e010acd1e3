import json
from typing import Any

import pytest

from fbm.cli.report import main
from fbm.report.read.runs import find
from fbm.report.table1 import table1
from fbm.utils.errors import UserError
from tests.report.fake import declare, fake_run


def job(init: str, seed: int, **values) -> dict[str, Any]:
    return {"folder": f"classify-{init}-seed{seed}", "label": init, "values": {"init": init, "seed": seed, **values}}


@pytest.fixture
def study(tmp_path):
    """Six declared classifications, four of them done, one begun; a pretraining elsewhere; a run of nobody's."""
    folder = tmp_path / "demo"
    for init, seed in (("random", 0), ("random", 1), ("ours", 0), ("ours", 1)):
        fake_run(folder, init=init, seed=seed)
    fake_run(folder, init="ours", seed=2, finished=False)
    fake_run(folder, init="ours", seed=9, clip=0.99)
    fake_run(tmp_path / "shared", task="disentangle", name="pre")
    jobs = [job(init, seed) for init in ("random", "ours") for seed in (0, 1, 2)]
    return declare(folder, {"folder": "../shared/pre", "stage": "pretrain", "label": "ours"}, *jobs)


def test_exactly_the_declared_runs(study):
    found = find([study])
    assert {run.path.name for run in found.of("classify")} == {
        f"classify-{init}-seed{seed}" for init in ("ours", "random") for seed in (0, 1)
    }
    assert [run.path.name for run in found.of("disentangle")] == ["pre"]
    assert found.others == 1  # seed 9; what broke off is declared
    assert [(run.path.name, run.state) for run in found.missing] == [
        ("classify-random-seed2", "not started"),
        ("classify-ours-seed2", "unfinished"),
    ]


def test_missing_runs_are_told_everywhere(study, capsys):
    main([str(study)])
    said = capsys.readouterr().out
    line = "classify-random-seed2 (classify random, seed=2)"
    assert f"missing: {study}/{line}, not started" in said
    assert f"missing: {study}/classify-ours-seed2 (classify ours, seed=2), unfinished" in said
    assert "not part of the study" in said
    assert line in (study / "report" / "table1.md").read_text()
    assert line in (study / "report" / "index.html").read_text()
    content = json.loads((study / "report" / "table1.json").read_text())
    assert [(run["state"], run["values"]) for run in content["missing"]] == [
        ("not started", {"init": "random", "seed": 2}),
        ("unfinished", {"init": "ours", "seed": 2}),
    ]


def test_missing_seeds_are_the_declared_ones(tmp_path):
    fake_run(tmp_path / "demo", init="random", seed=0)
    fake_run(tmp_path / "demo", init="random", seed=1)
    fake_run(tmp_path / "demo", init="ours", seed=0)
    # ours is declared with two seeds of which one is not there; random with two that are
    declare(tmp_path / "demo", job("random", 0), job("random", 1), job("ours", 0), job("ours", 7))
    random, ours = table1(find([tmp_path / "demo"])).rows
    assert random.missing_seeds == ()
    assert ours.missing_seeds == (7,)


def test_a_run_of_two_studies_is_there_once_and_keeps_its_values(study, tmp_path):
    declare(tmp_path / "other", {"folder": "../demo/classify-ours-seed9", "values": {"init": "ours", "seed": 9}})
    found = find([study, tmp_path / "other", study / "classify-random-seed0"])
    assert len(found.of("classify")) == 5
    assert found.others == 0
    assert {run.path.name: run.declared for run in found.runs}["classify-random-seed0"] == {"init": "random", "seed": 0}


def test_without_a_study_every_run_counts(study):
    (study / "study.json").unlink()
    found = find([study])
    assert len(found.runs) == 5
    assert found.others == 0
    assert [str(run) for run in found.missing] == [str(study / "classify-ours-seed2")]


def test_nothing_finished_is_one_line(tmp_path):
    study = declare(tmp_path / "demo", *(job("ours", seed) for seed in range(7)))
    fake_run(study, init="ours", seed=0, finished=False)
    with pytest.raises(
        UserError, match=r"no run is finished: .*seed0 \(unfinished\), .*2 more\. .*fbm study.* again"
    ) as caught:
        find([study])
    assert "\n" not in str(caught.value)


def test_a_half_written_run_alone(tmp_path):
    run = fake_run(tmp_path / "demo", finished=False)
    with pytest.raises(UserError, match=r"no run is finished: .*classify-random-seed0 \(unfinished\)"):
        find([run])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"name": "a", "jobs": []}', "declares no run"),
        ('{"name": "a", "jobs": [{"folder": "x", "stage": "test", "label": ""}]}', "jobs.0.stage"),
        ('{"name": "a", "jobs": [{"stage": "pretrain", "label": ""}]}', "jobs.0.folder"),
    ],
)
def test_damaged_study(tmp_path, text, reason):
    (tmp_path / "study.json").write_text(text)
    with pytest.raises(UserError, match=r"study.json: damaged study \(.*" + reason) as caught:
        find([tmp_path])
    assert "\n" not in str(caught.value)
