"""The README's commands run, and it stays short."""

import re
import shlex

import pytest

from fbm.cli.main import COMMANDS
from fbm.config.compose import compose
from fbm.config.instantiate import check
from tests.conftest import REPOSITORY
from tests.tiny import fbm, make_store, settings

README = (REPOSITORY / "README.md").read_text()
DOCS = "".join(path.read_text() for path in sorted((REPOSITORY / "docs").glob("*.md")))
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", README + DOCS, re.M | re.S)
BLOCKS = [text for kind, text in FENCED if kind in ("", "bash")]
LINES = [line.split("#")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMAND_LINES = sorted({line for line in LINES if line.startswith("fbm ")})
STUDY = [line for line in COMMAND_LINES if line.startswith("fbm study")]
TRAIN = [line for line in COMMAND_LINES if line.startswith("fbm train")]
PREPARE = [line for line in COMMAND_LINES if re.match(r"fbm (prepare|doctor) (?!config|--config-dir)", line)]
# On the demo data; not from a folder, a checkpoint or a machine that only the reader has, nor in test_combinations.
ELSEWHERE = (
    r"experiment=|data=(folder|classes|kinetics|hmdb51)|data\.size=|data\.store=stores|--config-dir|init=|launcher=|resume=outputs"
    r"|trainer=(ddp|multinode)|task\.(target|adversarial|background)="
)
RUNNABLE = [line for line in TRAIN if not re.search(ELSEWHERE, line)]


def words(line: str) -> tuple[list[str], list[str]]:
    """(flags, settings) of a command line."""
    given = shlex.split(line)[2:]
    flags = [word for word in given if word.startswith("-") or word in ("job", "my_conf")]
    return flags, [word for word in given if word not in flags]


def test_there_are_commands_to_look_at():
    assert len(TRAIN) >= 8
    assert len(RUNNABLE) >= 4


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_is_one_of_ours(line):
    assert line.split()[1] in COMMANDS


@pytest.mark.parametrize("line", TRAIN)
def test_every_training_command_composes(line):
    flags, overrides = words(line)
    plain = [re.sub(r"=tag\(.*", "=1e-3", word) for word in overrides]  # any of a search's values
    single = [re.sub(r"=([^\[,]*),.*", r"=\1", word) for word in plain]  # the first of a sweep's values
    if "--config-dir" not in flags:
        check(compose([word.replace("PATH", "there") for word in single]))


@pytest.mark.parametrize("line", PREPARE)
def test_every_command_on_data_composes(line):
    _, overrides = words(line)
    compose(overrides, name="prepare")


@pytest.mark.parametrize("line", RUNNABLE)
def test_the_commands_on_the_demo_data_run(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags, overrides = words(line)
    store = make_store(tmp_path / "store")
    given = {word.split("=")[0] for word in overrides}
    small = [word for word in settings(store) if word.split("=")[0] not in given]
    assert fbm("train", *flags, *overrides, *small) == 0
    assert list(tmp_path.glob("outputs/demo/*/summary.json")) or "--cfg" in flags


@pytest.mark.parametrize("line", STUDY)
def test_every_study_can_be_planned(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").symlink_to(REPOSITORY / "experiments")
    words = [word for word in line.split()[2:] if word != "--dry-run"]
    assert fbm("study", *words, "classify.over.seed=[0]", "--dry-run") == 0
    assert "runs, 0 finished" in capsys.readouterr().out


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make (\w+)", README)) <= targets


def test_it_is_short():
    assert len(README.splitlines()) < 120
