import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from fbm import __version__
from fbm.cli.main import COMMANDS
from fbm.config.compose import compose
from tests import processes
from tests.tiny import fbm, make_store, only_error, settings

FBM = processes.FBM
SETTING = re.compile(r"  (?P<key>[\w.]+)=(?P<value>\S*)(?P<said>.*)$")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Not in the checkout."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return processes.run([FBM, *arguments], capture_output=True, text=True, env={**os.environ, **environment})


def test_help_names_every_command(capsys):
    assert fbm("--help") == 0
    out = capsys.readouterr().out
    assert all(f"\n  {command} " in out for command in COMMANDS)
    assert fbm() == 2
    assert capsys.readouterr().out == out


def test_version(capsys):
    assert fbm("--version") == 0
    assert capsys.readouterr().out.strip() == __version__


HELPS = """
import sys
from fbm.cli.main import main
for words in ([], ["train"], ["prepare"], ["doctor"]):
    try:
        main([*words, "--help"])
    except SystemExit:
        pass
    print("after", *words, ":", *sys.modules, file=sys.stderr)
"""


def test_help_loads_nothing_heavy():
    """No stopwatch: the time that imports take is this machine's, but which ones are made is ours."""
    done = subprocess.run([sys.executable, "-c", HELPS], capture_output=True, text=True)
    assert [command for command in ("train", "prepare", "doctor") if f"fbm {command}" not in done.stdout] == []
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    for line in lines:
        assert "fbm.cli.main" in line.split()
        heavy = {"torch", "pytorch_lightning", "matplotlib", "wandb", "cv2", "scipy"} & set(line.split())
        assert not heavy, line.partition(":")[0]


def test_help_shows_groups_and_settings(capsys):
    assert fbm("train", "--help") == 0
    out = capsys.readouterr().out
    assert "init: autoencoder, contrast, order, ours, random" in out
    assert re.search(r"^  data.batch_size=16 +clips .*ranks$", out, re.MULTILINE)
    assert "fbm train task=classify init=ours" in out


@pytest.mark.parametrize(
    "words",
    [
        ["train"],
        ["train", "task=classify", "data=ucf24", "schedule=one_cycle", "logger=mlflow", "init=ours"],
        ["train", "task=autoencode", "data=folder", "masks=unsupervised", "schedule=halving", "trainer=debug"],
        ["prepare"],
        ["prepare", "data=folder", "masks=files"],
    ],
)
def test_help_says_what_every_setting_means(words, capsys):
    assert fbm(*words, "--help") == 0
    lines = (
        capsys.readouterr().out.partition("== Settings (KEY=VALUE) ==\n")[2].partition("\n\nPowered")[0].splitlines()
    )
    said = {line.strip().partition(":")[0] for line in lines if not SETTING.match(line)}  # of a node, or a group
    settings = [match for line in lines if (match := SETTING.match(line))]
    assert len(settings) > 15
    unsaid = [one["key"] for one in settings if not one["said"] and one["key"].rpartition(".")[0] not in said]
    assert unsaid == []
    compose([*words[1:], *(f"{one['key']}={one['value']}" for one in settings)], name=words[0])  # as they are typed


def test_help_of_prepare_shows_what_prepare_reads_and_no_more(capsys):
    assert fbm("prepare", "--help") == 0
    out = capsys.readouterr().out
    shown = {match["key"] for line in out.splitlines() if (match := SETTING.match(line))}
    config = compose(name="prepare")
    source: Any = OmegaConf.to_container(config.data.source, resolve=False)
    assert {value.strip("${}") for value in source.values() if str(value).startswith("${")} <= shown
    assert {"data.store", "data.size", "data.generate.seed", "masks.source.misfits", "prepare.workers"} <= shown
    training = {"data.clip_frames", "data.empty_classes", "data.label_fraction", "data.batch_size", "data.num_workers"}
    assert not training & shown
    assert "\ndata: " in out
    assert "\nencoder: " not in out


def test_a_dollar_of_a_value_is_shown(capsys):
    assert fbm("train", "--help", "data.root='a$x'") == 0
    assert '  data.root="a$x" ' in capsys.readouterr().out


def test_cfg_job_prints_the_config(capsys):
    assert fbm("train", "--cfg", "job", "optim.lr=0.25") == 0
    assert "lr: 0.25" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "no such command 'trian'; did you mean 'train'?"),
        (["train", "traner=cpu"], "no such setting 'traner'; did you mean 'trainer'?"),
        (["train", "optim.learning_rate=1"], "no such setting 'optim.learning_rate'; optim has lr, weight_decay"),
        (["train", "optim=lion"], "no such option 'optim/lion'; there is adam, adam_program, adamw, sgd"),
        (["train", "optim.lrr=1"], "no such setting 'optim.lrr'; did you mean 'optim.lr'?"),
        (["train", "masks=3"], "masks=3: a group takes an option; there is boxes, files, none, "),
        (["train", "=3"], "=3: no setting"),
        (["train", "seed=1", "logger=false"], "logger=false: a group takes an option; there is csv, default, mlflow, "),
        (["train", "trainer=cpuu"], "no such option 'trainer/cpuu'; did you mean 'cpu'?"),
        (["train", "experiment=demo"], "no such option 'experiment/demo'"),
        (["train", "seed=abc"], "seed='abc': it should be a valid integer"),
        (["train", "seed=-1"], "seed=-1: it should be greater than or equal to 0"),
        (["train", "test=maybe"], "test='maybe': it should be a valid boolean"),
        (["train", "overwrite=no"], "overwrite='no': it should be a valid boolean"),
        (["train", "seed=[1"], "seed=[1: its brackets do not match"),
        (["train", "nonsense"], "'nonsense' is not a setting: KEY=VALUE"),
        (["train", "name=${nowhere}"], "nowhere"),
        (["train", "--config-dir", "nowhere"], "nowhere' not found"),
        (["train"], "no store at stores/demo (no such folder): run `fbm prepare`"),
        (
            ["train", "--seed", "3"],
            "unrecognized arguments: --seed (see `fbm train --help`); settings have ",
        ),
        (["train", "--seed=3"], "settings have no dashes: seed=VALUE"),
        (["prepare", "--cfg"], "argument --cfg/-c: expected one argument"),
        (["train", "-m", "seed=0,1", "--cfg", "job"], "--cfg shows one job, -m runs several: leave out one"),
        (["study", "demo", "--seed", "3"], "unrecognized arguments: --seed"),
        (["extract", "a", "b", "--out", "c", "--nope"], "unrecognized arguments: --nope"),
        (["predict", "a"], "the following arguments are required: VIDEO"),
        (["export", "a"], "the following arguments are required: FOLDER"),
        (["runs", "nowhere"], "nowhere: no such folder"),
        (["bench", "step"], "python -m benchmarks"),
        (["report"], "the following arguments are required: PATH"),
        (["prepare", "data=ucf"], "no such option 'data/ucf'; did you mean 'ucf24'?"),
        (["prepare", "prepare.worker=2"], "no such setting 'prepare.worker'; did you mean 'prepare.workers'?"),
        (["doctor", "data=ucf"], "no such option 'data/ucf'"),
        (["report", "nowhere"], "nowhere"),
        (["-sc"], "install"),
    ],
)
def test_bad_input_is_one_line(arguments, said, capsys):
    assert fbm(*arguments) == 1
    captured = capsys.readouterr()
    assert said in only_error(captured.err)
    assert "Traceback" not in captured.out


def test_a_value_of_a_wrong_type_is_one_line(store, capsys):
    assert fbm("train", f"data.store={store}", "data.batch_size=abc") == 1
    assert only_error(capsys.readouterr().err).startswith("data.batch_size='abc': it should be a valid integer")


@pytest.mark.parametrize("arguments", [["train", "traner=cpu"], ["train", "data.batch_size=abc"]])
def test_bad_input_is_one_line_of_a_process_too(arguments):
    done = run(*arguments)
    assert done.returncode == 1
    assert only_error(done.stderr)
    assert done.stdout == ""


def test_a_broken_config_of_the_users_is_named(tmp_path, capsys):
    folder = tmp_path / "own" / "encoder"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("width: [4\n  a: b\n")
    assert fbm("train", "--config-dir", "own", "encoder=mine") == 1
    assert "own/encoder/mine.yaml" in only_error(capsys.readouterr().err)


def test_refused_settings_leave_nothing_behind(tmp_path):
    assert fbm("train", "optim.lrr=1") == 1
    assert list(tmp_path.iterdir()) == []


# --- completion


def test_bash_gets_a_script_for_fbm(capsys):
    assert fbm("-sc", "install=bash") == 0
    script = capsys.readouterr().out
    assert script.rstrip().endswith("-F hydra_bash_completion fbm")
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fbm ", set(COMMANDS)),
        ("fbm tr", {"train"}),
        ("fbm train tra", {"trainer=", "trainer."}),
        ("fbm  train  tra", {"trainer=", "trainer."}),
        (
            "fbm train trainer=",
            {
                "trainer=auto",
                "trainer=cpu",
                "trainer=ddp",
                "trainer=ddp_cpu",
                "trainer=debug",
                "trainer=gpu",
                "trainer=multinode",
            },
        ),
        ("fbm train seed=1 optim.l", {"optim.lr="}),
        ("fbm prepare data=u", {"data=ucf101", "data=ucf24"}),
        ("fbm doctor data=d", {"data=demo", "data=diving48"}),
        ("fbm report o", set()),
        ("", set(COMMANDS)),
    ],
)
def test_completion(line, offered, monkeypatch, capsys):
    monkeypatch.setenv("COMP_LINE", line)
    assert fbm("-sc", "query=bash") == 0
    assert set(capsys.readouterr().out.split()) == offered


def test_completion_in_a_real_shell(tmp_path):
    """The script's own function is asked, as bash would when Tab is pressed behind `fbm train init=ou`."""
    script = f"""
    PATH={Path(FBM).parent}:$PATH
    eval "$(fbm -sc install=bash)"
    COMP_LINE="fbm train init=ou"; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); COMP_CWORD=2
    hydra_bash_completion
    echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["init=ours"], done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["study", "--help"]], ids=" ".join)
def test_a_reader_that_leaves_ends_a_command_without_a_message(words):
    """As in `fbm train --help | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = processes.run([FBM, *words], stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_with_its_output_closed_a_command_still_works():
    done = processes.run(["sh", "-c", 'exec "$@" >&-', "sh", FBM, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_where_a_folder_should_be_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    for folder in ("file", "file/run"):
        assert fbm("train", *settings(make_store(tmp_path / "store"), "task=classify", f"run_dir={folder}")) == 1
        assert f"{folder} cannot be written" in only_error(capsys.readouterr().err)
    assert (tmp_path / "file").read_bytes() == b""
