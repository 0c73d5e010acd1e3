"""The experiment that kills: it sees every difference, and a short round of it."""

import csv
import json
import re
import shutil

import pytest
import torch

from tests import processes
from tests.conftest import REPOSITORY
from tests.scripts import load_script
from tests.tiny import fbm, settings

PLACE = REPOSITORY / "experiments" / "interruptions"


same = load_script("interruptions/same.py")


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """A finished run. Look, do not touch."""
    run = tmp_path_factory.mktemp("whole") / "run"
    assert fbm("train", *settings(store, f"run_dir={run}", "name=run")) == 0
    return run


def edit_checkpoint(path, change):
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)


def flip_a_bit(content):
    weights = next(value for value in content["state_dict"].values() if value.dtype == torch.float32)
    first = (0,) * weights.dim()
    weights[first] = torch.nextafter(weights[first], torch.tensor(9.0))


def change_optimiser(content):
    content["optimizer_states"][0]["state"][0]["exp_avg"][0] += 1


def edit_text(name, old, new):
    def change(run):
        text = (run / name).read_text()
        assert len(re.findall(old, text)) > 0
        (run / name).write_text(re.sub(old, new, text, count=1))

    return change


CHANGES = {
    "a bit of the last weights": (
        lambda run: edit_checkpoint(run / "checkpoints" / "last.ckpt", flip_a_bit),
        r"last.ckpt: state_dict\.",
    ),
    "a bit of the best weights": (
        lambda run: edit_checkpoint(run / "checkpoints" / "best.ckpt", flip_a_bit),
        r"best.ckpt: state_dict\.",
    ),
    "the optimiser": (
        lambda run: edit_checkpoint(run / "checkpoints" / "last.ckpt", change_optimiser),
        r"last.ckpt: optimizer_states\[0\].state.0.exp_avg",
    ),
    "a metric": (edit_text("summary.json", r'("val/loss": \d\.)', r"\g<1>9"), "summary: metrics.val/loss"),
    "a row twice": (
        lambda run: (run / "metrics.csv").write_text(
            (run / "metrics.csv").read_text() + (run / "metrics.csv").read_text().splitlines()[-1] + "\n"
        ),
        "metrics.csv: 2 and 3 long|metrics.csv: 1 and 2 long",
    ),
    "a file too many": (lambda run: (run / ".last.ckpt.7.part").touch(), r"\.last\.ckpt\.7\.part"),
    "another picture": (lambda run: next((run / "gallery").glob("*.png")).write_bytes(b"x"), "epoch-000.png"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_difference_between_two_runs_is_seen(whole, tmp_path, what):
    change, words = CHANGES[what]
    run = shutil.copytree(whole, tmp_path / "run")
    assert same.differing_runs(whole, run) == []
    change(run)
    found = same.differing_runs(whole, run)
    assert len(found) == 1
    assert re.search(words, found[0]), found


def test_times_may_differ(whole, tmp_path):
    run = shutil.copytree(whole, tmp_path / "run")
    summary = json.loads((run / "summary.json").read_text())
    summary["seconds"] += 1
    summary["metrics"]["time/clips_per_second"] = 0.5
    (run / "summary.json").write_text(json.dumps(summary))
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert "time/clips_per_second" in rows[0]
    with (run / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "time/clips_per_second": 3} for row in rows)
    assert same.differing_runs(whole, run) == []


def test_every_difference_between_two_stores_is_seen(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "frames").mkdir(parents=True)
        (folder / "frames" / "a.npy").write_bytes(b"abc")
    (one / ".lock").touch()
    assert same.differing_files(one, other) == []
    (other / "frames" / "a.npy").write_bytes(b"abd")
    (other / ".part").touch()
    assert same.differing_files(one, other) == [".part", "frames/a.npy"]


SCRIPT = """
import runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_a_short_round_with_fbm_prepare(tmp_path):
    sizes = ["data.generate.groups=2", "data.generate.clips=1", "data.generate.frames=34", "data.size=32"]
    given = ["prepare", "--times", "2", "--kills", "2", "--folder", tmp_path, *sizes]
    command = [processes.PYTHON, "-c", SCRIPT, PLACE / "kill.py", *map(str, given)]
    done = processes.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "2 of 2 equal"
    assert done.stdout.count("killed") == 3  # not killed, and two runs with two kills each
