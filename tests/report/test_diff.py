import json
import math
import os
import pty
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import fbm
from fbm.report.diff import main
from fbm.report.diff.compare import compare
from fbm.report.diff.facts import read_run
from fbm.runs.provenance import record
from fbm.utils.errors import UserError
from tests import processes
from tests.runs.test_git import git


def make_run(folder: Path, finished: bool = True, config: dict[str, Any] | None = None, **summary: Any) -> Path:
    """A run folder as `fbm train` leaves it; keywords replace parts of the summary."""
    place = f"outputs/{folder.name}"
    settings = {
        **{"seed": 0, "name": folder.name, "run_dir": place, "optim": {"lr": 0.001, "weight_decay": 0.0}},
        **{"init": {"name": "random", "checkpoint": None}, "callbacks": {"gallery": {"folder": f"{place}/gallery"}}},
        **{"logger": {"wandb": {"name": folder.name}}, "schedule": None, **(config or {})},
    }
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    told = {
        **{
            "run": folder.name,
            "task": "classify",
            "seed": 0,
            "init": "random",
            "metrics": {"test/clip_top1": 0.5, "val/loss": 1.0},
        },
        **{"fingerprints": {"run": folder.name, "config": "c", "comparison": "cc", "data": "d"}, "data": "demo"},
        **{"samples": {"train": 8, "test": 4}, "pretraining": None, "git": {"commit": "f00", "dirty": False}},
        **{"fbm": "0.1.0", "lock": "l", "packages": "p", "versions": {"python": "3.11.7", "torch": "2.13.0"}},
        **{"hardware": {"device": "cpu", "cpus": 2}, "best_epoch": 1, "epochs": 3, "seconds": 9.5, **summary},
    }
    if finished:
        (folder / "summary.json").write_text(json.dumps(told))
    return folder


def prints(**changed: str) -> dict[str, str]:
    return {"config": "c", "comparison": "cc", "data": "d", **changed}


def told(capsys, *arguments: object) -> list[str]:
    assert main([str(argument) for argument in arguments]) == 0
    lines: list[str] = capsys.readouterr().out.splitlines()
    return lines


def test_runs_that_differ_in_their_seed_may_be_averaged(tmp_path, capsys):
    a = make_run(tmp_path / "a")
    better = {"test/clip_top1": 0.75, "val/loss": 1.0}
    b = make_run(tmp_path / "b", config={"seed": 1}, seed=1, metrics=better)
    assert told(capsys, a, b) == [
        *(f"a: {a}", f"b: {b}", "config: seed: 0 | 1", "results: best_epoch: 1 | 1 (same)"),
        *("results: epochs: 3 | 3 (same)", "results: seconds: 9.5 | 9.5 (same)"),
        *("results: test/clip_top1: 0.5 | 0.75 (+0.25)", "results: val/loss: 1 | 1 (same)"),
        "same: pretraining, data, code, packages, hardware",
        "The two runs may be averaged: only the seed differs (0 and 1).",
    ]


def test_a_metric_that_is_nan_in_both_is_the_same(tmp_path, capsys):
    a, b = (make_run(tmp_path / name, metrics={"test/psnr_last_foreground": math.nan}) for name in "ab")
    assert not any(line.startswith("results") for line in told(capsys, a, b))


@pytest.mark.parametrize(("seed", "says"), [(0, ", with the same seed (0)"), (1, ", and the seed (0 and 1)")])
def test_runs_that_differ_in_their_initialisation_may_be_compared(tmp_path, capsys, seed, says):
    source = {"folder": "outputs/pre", "study": "s", "run": "pre", "seed": 0, "fingerprint": "x"}
    changed = {"init": {"name": "ours", "checkpoint": "outputs/pre"}}
    a = make_run(tmp_path / "a")
    b = make_run(
        *(tmp_path / "b", True, changed),
        **{"fingerprints": prints(config="other"), "init": "ours", "pretraining": source, "seed": seed},
    )
    lines = told(capsys, a, b)
    assert "config: init.name: random | ours" in lines
    assert "pretraining: fingerprint: - | x" in lines
    sentence = "The two runs may be compared, not averaged: only the initialisation differs (random and ours)"
    assert lines[-1] == f"{sentence}{says}."
    assert not any("init.checkpoint" in line for line in lines)  # a place; what it held is told


def test_another_pretraining_of_the_same_name_may_be_compared(tmp_path, capsys):
    a, b = (
        make_run(tmp_path / name, fingerprints=prints(config=name), init="ours", pretraining={"fingerprint": name})
        for name in "ab"
    )
    sentence = told(capsys, a, b)[-1]
    assert "may be compared, not averaged" in sentence
    assert all(part in sentence for part in ("pretraining", "(ours)", "same seed (0)"))


def test_other_settings_allow_neither_and_are_named(tmp_path, capsys):
    a = make_run(tmp_path / "a")
    changed = {"optim": {"lr": 0.01, "betas": [0.9, 0.99]}, "callbacks": {"every": 5}}
    b = make_run(tmp_path / "b", config=changed, fingerprints=prints(config="x", comparison="x"))
    lines = told(capsys, a, b)
    assert "config: optim.lr: 0.001 | 0.01" in lines
    assert "config: optim.betas: - | [0.9, 0.99]" in lines
    assert lines[-1] == (
        "The two runs may be neither averaged nor compared: more differs than the seed and the initialisation "
        "(optim.betas, optim.lr, optim.weight_decay and 1 more)."
    )


def test_a_setting_that_was_added_since_is_no_difference_where_it_has_the_value_of_before(tmp_path, capsys):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", config={"seed": 1, "data": {"reverse": True}}, seed=1)
    assert [line for line in told(capsys, a, b) if line.startswith("config: ")] == ["config: seed: 0 | 1"]
    c = make_run(tmp_path / "c", config={"data": {"reverse": False}}, fingerprints=prints(config="x", comparison="x"))
    assert "config: data.reverse: - | false" in told(capsys, a, c)


def test_other_data_allow_neither(tmp_path, capsys):
    a = make_run(tmp_path / "a")
    b = make_run(tmp_path / "b", seed=1, fingerprints=prints(data="e"), samples={"train": 9, "test": 4})
    lines = told(capsys, a, b)
    assert {"data: fingerprint: d | e", "data: train clips: 8 | 9"} <= set(lines)
    assert lines[-1] == "The two runs may be neither averaged nor compared: their data differ."


def test_a_run_made_twice_is_no_second_seed(tmp_path, capsys):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    assert told(capsys, a, b)[2:] == [
        "same: config, pretraining, data, code, packages, hardware, results",
        "The two runs are one measurement made twice (seed 0): there is nothing to average.",
    ]


def test_names_and_places_are_told_when_asked_for(tmp_path, capsys):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    keys = [line.split(": ")[1] for line in told(capsys, a, b, "--all") if line.startswith("config: ")]
    assert keys == ["callbacks.gallery.folder", "logger.wandb.name", "name", "run_dir"]


def test_code_packages_and_hardware_are_told_and_kept_in_mind(tmp_path, capsys):
    a = make_run(tmp_path / "a", git={"commit": "f00", "dirty": True})
    b = make_run(tmp_path / "b", seed=1, lock="m", git=None, hardware={"device": "cuda"}, versions={"python": "3.12.1"})
    lines = told(capsys, a, b)
    assert {
        *("code: commit: f00 | no checkout", "code: changes: not recorded | none", "packages: lock: l | m"),
        *("packages: torch: 2.13.0 | -", "hardware: device: cpu | cuda", "hardware: cpus: 2 | -"),
    } <= set(lines)
    assert lines[-1].endswith("(0 and 1); note that code and packages and hardware differ.")


def test_changes_that_were_not_recorded_may_differ(tmp_path, capsys):
    dirty = {"commit": "f00", "dirty": True}
    a, b = (make_run(tmp_path / name, git=dirty) for name in "ab")
    assert "code: changes: not recorded | not recorded" in told(capsys, a, b)


def test_what_provenance_recorded_is_read(tmp_path, capsys, monkeypatch):
    """Two runs from one commit: the code was changed in between, and a package."""
    package = tmp_path / "repository" / "fbm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "x")):
        git(package.parent, *command)
    monkeypatch.setattr(fbm, "__file__", str(package / "__init__.py"))
    runs = []
    for number, name in enumerate("abc"):
        if number:
            (package / "new.py").write_text("x = 1\n")
        folder = make_run(tmp_path / name)
        summary = json.loads((folder / "summary.json").read_text()) | record(folder, {})
        (folder / "summary.json").write_text(json.dumps(summary))
        runs.append(folder)
    a, b, c = runs
    packages = b / "provenance" / "packages.txt"
    packages.write_text(packages.read_text().replace("\npyyaml==", "\npyyaml==0."))
    lines = told(capsys, a, b)
    (code,) = [line for line in lines if line.startswith("code: ")]
    assert code.startswith("code: changes: none | ")
    (changed,) = [line for line in lines if line.startswith("packages: ")]
    assert changed.startswith("packages: pyyaml: ")
    assert "same: config, pretraining, data, code, hardware, results" in told(capsys, b, c)
    (package / "new.py").write_text("x = 2\n")
    record(c, {})
    assert any(line.startswith("code: changes: ") for line in told(capsys, b, c))


def test_of_an_unfinished_run_the_config_is_compared(tmp_path, capsys):
    a = make_run(tmp_path / "a")
    b = make_run(tmp_path / "b", finished=False, config={"seed": 4})
    assert told(capsys, a, b)[2:] == [
        *("config: seed: 0 | 4", "same: pretraining", f"unfinished, only its config is known: {b}"),
        f"They can be neither averaged nor compared yet: {b} is not finished.",
    ]


def test_a_run_of_an_older_fbm_is_read(tmp_path, capsys):
    a, b = make_run(tmp_path / "a"), make_run(tmp_path / "b", seed=1)
    old = json.loads((b / "summary.json").read_text())
    for key in ("pretraining", "lock", "packages", "samples"):
        del old[key]
    (b / "summary.json").write_text(json.dumps(old))
    lines = told(capsys, a, b)
    assert "packages: lock: l | null" in lines
    assert "averaged" in lines[-1]


def test_json_holds_it_all(tmp_path, capsys):
    a = make_run(tmp_path / "a")
    b = make_run(tmp_path / "b", config={"seed": 1}, seed=1, metrics={"val/loss": float("nan"), "val/top1": 1})
    assert main([str(a), str(b), "--json"]) == 0
    content = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert content["runs"] == {"a": str(a), "b": str(b)}
    assert content["groups"]["config"] == {"seed": {"a": 0, "b": 1}}
    assert content["groups"]["data"] == {}
    assert content["results"]["val/loss"] == {"a": 1.0, "b": None, "difference": None}
    assert content["results"]["val/top1"] == {"b": 1, "difference": None}
    assert content["results"]["epochs"] == {"a": 3, "b": 3, "difference": 0.0}
    assert content["verdict"]["may"] == "average"


@pytest.mark.slow
def test_on_a_terminal_it_is_a_table(tmp_path):
    a = make_run(tmp_path / "a")
    b = make_run(tmp_path / "b", config={"seed": 1, "note": "[red]x[/red]"}, seed=1, metrics={"test/clip_top1": 0.75})
    mine, theirs = pty.openpty()
    code = "import sys; from fbm.report.diff import main; main(sys.argv[1:])"
    terminal = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    command = [processes.PYTHON, "-c", code, a.name, b.name]
    processes.run(command, stdout=theirs, env=terminal, cwd=tmp_path, check=True, timeout=600)
    os.close(theirs)
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", os.read(mine, 100_000).decode())
    os.close(mine)
    row = next(line for line in drawn.splitlines() if "test/clip_top1" in line)
    assert row.split() == ["results:", "test/clip_top1", "0.5", "0.75", "+0.25"]
    assert "[red]x[/red]" in drawn
    assert "───" in drawn
    assert drawn.splitlines()[-1].startswith("The two runs may be averaged")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no run at .*nowhere: no such folder"),
        ("empty", r"no run at .*empty: no config\.yaml in it"),
        ("study", "no run at .*study: it is a study of 2 runs; name one of them, as .*study/one"),
        ("file", "no run at .*file: it is a file"),
        ("yaml", r"yaml/config\.yaml: damaged config \(not readable as YAML"),
        ("list", r"list/config\.yaml: damaged config \(it holds no settings"),
        ("half", r"half/summary\.json: damaged summary \(.*Delete the file and run that job again"),
        ("number", r"number/summary\.json: damaged summary \("),
    ],
)
def test_a_folder_without_a_whole_run_is_one_line(tmp_path, name, message):
    for folder in ("study/one", "study/two", "yaml", "list", "half", "number"):
        make_run(tmp_path / folder)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "yaml" / "config.yaml").write_text("a: [1\nb")
    (tmp_path / "list" / "config.yaml").write_text("- 1\n")
    (tmp_path / "half" / "summary.json").write_text('{"run": ')
    (tmp_path / "number" / "summary.json").write_text("3")
    well = make_run(tmp_path / "well")
    for pair in ((tmp_path / name, well), (well, tmp_path / name)):
        with pytest.raises(UserError, match=message) as caught:
            main([str(path) for path in pair])
        assert "\n" not in str(caught.value)


def test_it_can_be_asked_from_python(tmp_path):
    a, b = (read_run(make_run(tmp_path / name)) for name in "ab")
    compared = compare(a, b)
    assert compared.verdict.kind == "neither"
    assert not any(compared.groups.values())
