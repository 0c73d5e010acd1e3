"""The experiment for GPUs: all of it on a processor, and by measures that are made up what it does with them."""

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.floor import Floor
from benchmarks.memory import Memory
from benchmarks.profiles import Kernel, Profile
from benchmarks.programs import Measured
from tests.conftest import REPOSITORY
from tests.scripts import load_script

pytestmark = pytest.mark.slow

PLACE = REPOSITORY / "experiments" / "bench_gpu"
DETAILS: dict[str, dict[str, Any]] = {
    "ours": {"median": 0.04, "graphs": 6, "flops": 4e12, "flop_share": 0.41},
    "profile": {
        "profile": Profile(1.0, 0.9, {"convolutions and products": 0.7}, [Kernel("sm90|fprop", 40, 0.45)] * 30)
    },
    "floor": {"floor": Floor(0.02, 9, {}), "memory": Memory(1, 1, 2, 3)},
    **{"bare": {}, "plain": {}},
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module, whose measures are made up."""
    module = load_script("bench_gpu/run.py")
    monkeypatch.setattr(torch, "compile", torch.compile)  # --tiny puts another in its place
    monkeypatch.setattr(module, "agreement", lambda settings: {"bf16 and float32": agreed([])})
    monkeypatch.setattr(module, "measure", lambda program, settings, steps: Measured(0.05, 2**30, DETAILS[program]))
    return module


def agreed(beyond: list[str]) -> dict[str, Any]:
    return {"loss": 0.001, "whole": 0.99, "worst": {"a.weight": 0.9}, "norm": 0.1, "beyond": beyond}


def called(run: Any, monkeypatch: pytest.MonkeyPatch, place: Path, *more: str) -> tuple[dict[str, Any], str]:
    """Outcomes by name, and the tables."""
    monkeypatch.setattr(sys, "argv", ["run.py", "--tiny", "--out", str(place), *more])
    try:
        run.main()
    finally:
        content = json.loads((place / "results.json").read_text())
    return {row["name"]: row for row in content["outcomes"]}, (place / "results.md").read_text()


def test_right_comes_before_fast_and_all_that_is_asked_is_among_the_cases(run):
    cases = run.cases(list(run.TASKS), [40, 80, 120], 20, run.PAPER)
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    assert [case.kind for case in cases[:9]] == ["correctness"] * 3 + ["steps"] * 3 + ["compiled steps"] * 3
    wanted = itertools.product(run.TASKS, ("bf16", "TF32"), (40, 80, 120), ("", ", compiled"))
    assert {f"{task}, {precision}, {clips} clips{how}" for task, precision, clips, how in wanted} < set(names)
    assert {f"{task}, bf16, 40 clips: profile" for task in run.TASKS} < set(names)
    assert {case.kind for case in cases} == run.EXPECTED.keys()


def test_tables_hold_rates_shares_and_kernels(run, monkeypatch, tmp_path):
    outcomes, shown = called(run, monkeypatch, tmp_path, "--tasks", "disentangle")
    assert {row["status"] for row in outcomes.values()} == {"done"}
    assert len(outcomes["disentangle, bf16, 2 clips: profile"]["found"]["detail"]["profile"]["kernels"]) == run.KERNELS
    assert "| disentangle: bf16 and float32 | 0.001 | 0.99000 | 0.9000 (a.weight) | 0.1 | agrees |" in shown
    assert "| disentangle, bf16, 2 clips, compiled | 40 | 50.0 | 40.0 |  | 0.41 | 1.00 | 6 |" in shown
    assert "| sm90/fprop | 20 | 225.00 | 50.0% |" in shown  # of two steps


def test_the_limits_are_of_the_papers_size(run, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(run, "machine", lambda: "m")
    monkeypatch.setattr(run, "heading", lambda given: {"machine": "m", "tiny": given.tiny, "cuda": "13.0"})
    monkeypatch.setattr(sys, "argv", ["run.py", "--tasks", "autoencode", "--out", str(tmp_path)])
    run.main()
    shown = (tmp_path / "results.md").read_text()
    assert f"| autoencode, TF32, 80 clips | 1,600 | 50.0 | 40.0 | {1600 / 840:.2f} | 0.41 | 1.00 | 6 |" in shown
    assert "cuda 13.0" in shown


def test_memory_that_ends_in_one_case_is_told_and_the_others_are_measured(run, monkeypatch, tmp_path):
    def measure(program: str, settings: list[str], steps: int) -> Measured:
        if program == "bare":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3.00 GiB.")
        return Measured(0.05, 0, DETAILS[program])

    monkeypatch.setattr(run, "measure", measure)
    outcomes, shown = called(run, monkeypatch, tmp_path, "--tasks", "classify")
    assert [name for name, row in outcomes.items() if row["status"] != "done"] == ["classify, bf16, 2 clips: bare loop"]
    assert "- classify, bf16, 2 clips: bare loop: out of memory on the GPU (3.00 GiB more were asked for)" in shown


def test_what_is_wrong_ends_with_status_1_when_all_is_measured(run, monkeypatch, tmp_path):
    wrong = {"bf16 and float32": agreed(["encoder.weight has no gradient"])}
    monkeypatch.setattr(run, "agreement", lambda settings: wrong)
    with pytest.raises(SystemExit, match="classify: correctness, bf16 and float32: encoder"):
        called(run, monkeypatch, tmp_path, "--tasks", "classify")
    content = json.loads((tmp_path / "results.json").read_text())
    assert {row["status"] for row in content["outcomes"]} == {"done"}
    assert "| encoder.weight has no gradient |" in (tmp_path / "results.md").read_text()


def test_without_time_every_case_is_named(run, monkeypatch, tmp_path):
    outcomes, shown = called(run, monkeypatch, tmp_path, "--seconds", "1")
    assert {row["status"] for row in outcomes.values()} == {"no time"}
    assert all(f"- {name}: " in shown for name in outcomes)


def test_it_needs_a_gpu(run, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="torch finds no GPU here; --tiny shows on the processor that all of it runs"):
        run.main()
    assert not (tmp_path / "none").exists()


def test_results_of_other_code_are_refused(run, monkeypatch, tmp_path):
    called(run, monkeypatch, tmp_path, "--seconds", "1")
    monkeypatch.setattr(run, "listing", lambda content: "other")
    with pytest.raises(SystemExit, match=r"results.json: written with another code; give another place"):
        called(run, monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tasks", "classify,clasify"], "--tasks clasify: it should be of disentangle, classify, autoencode"),
        (["--steps", "0"], "--steps 0: it should be at least 1"),
    ],
)
def test_bad_input_is_told(run, monkeypatch, tmp_path, capsys, arguments, said):
    monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path / "none"), *arguments])
    with pytest.raises(SystemExit) as stopped:
        run.main()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


BARE = """
import runpy, sys
for absent in ("av", "pebble", "wandb"):
    sys.modules[absent] = None  # as on a machine with only what is carried to it
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.usefixtures("bf16")
def test_it_runs_on_a_processor_without_what_a_bare_machine_lacks(tmp_path):
    given = ["--tiny", "--tasks", "classify", "--seconds", "100000", "--out", str(tmp_path)]
    command = [sys.executable, "-c", BARE, str(PLACE / "run.py"), *given]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads((tmp_path / "results.json").read_text())
    assert {row["status"] for row in content["outcomes"]} == {"done"}
    found = {row["name"]: row["found"] for row in content["outcomes"]}
    assert found["classify: correctness"]["bf16 and float32"]["beyond"] == []
    assert found["classify, bf16, 2 clips"]["graphs"] == 0
    assert found["classify, bf16, 2 clips, compiled"]["graphs"] == 2  # the encoder and the layer behind it
    assert {name.rpartition(": ")[2] for name in found if ": " in name} == {
        *("correctness", "profile", "profile, compiled", "bare loop", "convolutions and products alone"),
        "straightforward program",
    }
    shown = (tmp_path / "results.md").read_text()
    assert "| classify, bf16, 2 clips, compiled |" in shown
    assert "| classify: bf16 and float32 |" in shown
    assert "| kernel | times a step | ms a step | share |" in shown
    assert shown in done.stdout
