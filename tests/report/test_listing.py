"""`fbm runs`: what it lists, chooses, sorts and exports."""

import csv
import json
import time
from functools import partial

import pytest
from rich.console import Console

from fbm.report.listing import main, show
from fbm.report.listing.entries import entries
from fbm.report.listing.show import shortened
from fbm.utils.errors import UserError
from fbm.utils.files import exclusive_lock
from tests.report.fake import fake_run
from tests.tiny import only_error


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Finished, unfinished, failed and damaged runs, in outputs/."""
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "outputs" / "demo"
    for seed, clip in enumerate((0.5, 0.7, 0.6)):
        fake_run(made, init="ours", seed=seed, clip=clip, extra={"optim": {"lr": 10**-seed}})
    fake_run(made, init="random", clip=0.4)
    fake_run(made, task="disentangle", init=None, name="pre", more={"monitor": "test/loss"})
    half = {"task_name": "classify", "data": {"name": "demo", "label_fraction": 0.25}}
    fake_run(made, init="random", seed=1, finished=False, extra=half)
    failed = fake_run(made, init="random", seed=2, finished=False)
    (failed / "failure.txt").write_text("Traceback\n  File x\nValueError: no good\n")
    damaged = fake_run(made, init="random", seed=3)
    (damaged / "summary.json").write_text("{")
    return made


def listed(capsys, *words: str) -> list[list[str]]:
    assert main(list(words)) == 0
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_every_run_is_listed_with_its_state(study, capsys):
    lines = {line[0]: line for line in listed(capsys)[2:] if line}
    states = {name: line[1] for name, line in lines.items()}
    assert states["classify-ours-seed0"] == states["pre"] == "finished"
    assert states["classify-random-seed1"] == "unfinished"
    assert states["classify-random-seed2"] == "failed"
    assert states["classify-random-seed3"] == "damaged"
    assert lines["classify-ours-seed1"][2:8] == ["classify", "ours", "1", "50.0", "70.0", "74.0"]
    assert lines["classify-random-seed1"][2:6] == ["classify", "random", "1", "50.0"]  # the newest
    assert lines["pre"][-4:-2] == ["test/loss", "0.2"] or "0.2" in lines["pre"]


def test_reasons_are_below_the_table(study, capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "outputs/demo/classify-random-seed2: ValueError: no good" in text
    assert "outputs/demo/classify-random-seed3/summary.json: damaged summary" in text


def test_a_run_that_is_locked_is_running(study, capsys):
    with exclusive_lock(study / "classify-random-seed1", "the run folder"):
        lines = {line[0]: line for line in listed(capsys, "state=running")[2:]}
    assert list(lines) == ["classify-random-seed1"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["task=classify", "init=ours", "--by", "test/clip_top1"], ["ours-seed1", "ours-seed2", "ours-seed0"]),
        (["init=ours", "--by", "test/clip_top1", "--reverse"], ["ours-seed0", "ours-seed2", "ours-seed1"]),
        (["init=ours", "--by", "optim.lr"], ["ours-seed2", "ours-seed1", "ours-seed0"]),
        (["--by", "test/clip_top1", "--best"], ["ours-seed1"]),
        (["state=finished", "--by", "test/video_top1", "--best", "2"], ["ours-seed1", "ours-seed2"]),
        (["seed=1,2", "init=ours"], ["ours-seed1", "ours-seed2"]),
        (["optim.lr=1e-1"], ["ours-seed1"]),
        (["label_fraction=0.25"], ["random-seed1"]),
        (["state=unfinished", "data.name=demo"], ["random-seed1"]),
    ],
)
def test_runs_are_chosen_and_sorted(study, capsys, words, names):
    assert [line[0].removeprefix("classify-") for line in listed(capsys, *words)[2:]] == names


def test_runs_without_the_metric_come_last(study, capsys):
    lines = listed(capsys, "task=classify,disentangle", "state=finished", "--by", "test/clip_top1")
    assert lines[-1][0] == "pre"


def test_csv_holds_every_metric_and_settings_that_are_asked_for(study, tmp_path, capsys):
    out = tmp_path / "new" / "runs.csv"
    assert main(["--csv", str(out), "--show", "optim.lr", "outputs/demo"]) == 0
    assert capsys.readouterr().out == f"{out}: 8 runs\n"
    with out.open(newline="") as lines:
        rows = {row["folder"]: row for row in csv.DictReader(lines)}
    row = rows["outputs/demo/classify-ours-seed1"]
    assert (row["state"], row["test/clip_top1"], row["optim.lr"]) == ("finished", "0.7", "0.1")
    row = rows["outputs/demo/classify-random-seed1"]
    assert (row["state"], row["task"], row["val/clip_top1"]) == ("unfinished", "classify", "0.5")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["tsk=classify"], "no run has a metric or setting 'tsk'; did you mean 'task'?"),
        (["task=clasify"], "none of 8 runs has task=clasify; their task is "),
        (["--by", "test/clip_top"], "did you mean 'test/clip_top1'"),
        (["--show", "seed,optim.lrr"], "did you mean 'optim.lr'"),
        (["--best"], "name the metric"),
        (["--by", "seed", "--best", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_listed_is_one_line(study, words, said):
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        main(words)


def test_a_folder_without_runs(tmp_path, capsys):
    from tests.tiny import fbm

    assert fbm("runs", str(tmp_path)) == 1
    assert "no run found" in only_error(capsys.readouterr().err)


def test_hundreds_of_runs_take_no_time(tmp_path):
    first = json.loads((fake_run(tmp_path / "s") / "summary.json").read_text())
    for number in range(400):
        run = tmp_path / "s" / f"run{number}"
        run.mkdir()
        (run / "config.yaml").write_text("seed: 0\n")
        (run / "summary.json").write_text(json.dumps(first | {"run": run.name}))
    began = time.process_time()
    assert len(entries([tmp_path])) == 401
    assert time.process_time() - began < 1


ALIKE = "classify-ours-seed{}-data.label_fraction-0.25+encoder-c3d+optim.lr-{}"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (
            [ALIKE.format(seed, lr) for seed in (0, 1) for lr in ("1e-3", "1e-4")],
            ["…seed0-…optim.lr-1e-3", "…seed0-…optim.lr-1e-4", "…seed1-…optim.lr-1e-3", "…seed1-…optim.lr-1e-4"],
        ),
        ([ALIKE.format(0, "1e-3"), "pre"], None),  # a single long one has nothing in common with another
        ([f"a-{'b' * 40}+c", f"{'b' * 40}+a-c"], None),  # they would look alike
        ([f"a-{'b' * 40}+x+c", f"a-{'b' * 40}+c", "a-c"], ["…x+c", "…c", "a-c"]),
    ],
)
def test_long_names_lose_what_they_have_in_common(names, shown):
    assert shortened(names, 30) == (shown or names)


@pytest.mark.parametrize("terminal", [True, False])
def test_runs_can_be_told_apart_on_a_narrow_terminal(tmp_path, monkeypatch, capsys, terminal):
    names = [ALIKE.format(seed, lr) for seed in (0, 1) for lr in ("1e-3", "1e-4")]
    for name in names:
        fake_run(tmp_path / "demo", name=name, init="ours")
    console = partial(Console, width=80, force_terminal=terminal, color_system=None)
    monkeypatch.setattr(show, "wide_console", console)
    lines = listed(capsys, str(tmp_path))[2:]
    assert len(lines) == 4
    assert len({line[0] for line in lines}) == 4
    assert terminal == all(line[0].startswith("…") for line in lines)
    assert terminal or [line[0] for line in lines] == sorted(names)
    assert all(line[1:8] == ["finished", "classify", "ours", "0", "50.0", "50.0", "54.0"] for line in lines)
