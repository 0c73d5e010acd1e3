"""Paths that lead nowhere are refused first, and at once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fbm.config.compose import compose
from fbm.training.early import check_early
from fbm.utils.errors import UserError
from tests.tiny import fbm, make_store, only_error, settings


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A folder with a finished pretraining `pre` and a classification `run` from it, of its own store."""
    folder: Path = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_store(folder / "store")
        assert fbm("train", *settings(Path("store"), "task=disentangle", "name=pre")) == 0
        assert fbm("train", *settings(Path("store"), *CLASSIFY)) == 0
    return folder


CLASSIFY = ("task=classify", "name=run", "init=ours", "init.checkpoint=outputs/demo/pre")


@pytest.fixture
def here(finished, tmp_path, monkeypatch) -> Path:
    """A copy of it."""
    folder: Path = shutil.copytree(finished, tmp_path / "here")
    monkeypatch.chdir(folder)
    return folder


def train(*words: str) -> int:
    return fbm("train", *settings(Path("store"), *words))


def test_a_missing_checkpoint_is_not_hidden_by_a_finished_run(here, capsys):
    assert train(*CLASSIFY[:-1], "init.checkpoint=nowhere") == 1
    assert only_error(capsys.readouterr().err) == "no such checkpoint: nowhere"
    assert train(*CLASSIFY, "optim.lr=0.5") == 1
    assert "finished run with other settings" in only_error(capsys.readouterr().err)


def test_a_finished_run_needs_neither_its_store_nor_its_pretraining(here, capsys):
    shutil.rmtree("outputs/demo/pre")
    assert train(*CLASSIFY) == 0
    assert "is finished already" in capsys.readouterr().out
    assert train(*CLASSIFY, "overwrite=true") == 1
    assert only_error(capsys.readouterr().err) == "no such checkpoint: outputs/demo/pre"


def test_what_is_on_the_hub_is_looked_for_later(here):
    words = settings(Path("store"), *CLASSIFY[:-1], "init.checkpoint=hf://me/net")
    check_early(compose(words))
    with pytest.raises(UserError, match="no store at nowhere"):
        check_early(compose([*words, "data.store=nowhere"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train data.store=nowhere", "no store at nowhere"),
        ("train task=classify init=ours init.checkpoint=nowhere data.store=store", "no such checkpoint: nowhere"),
        ("extract nowhere clip.mp4 --out f.npz", "no such checkpoint: nowhere"),
        ("predict nowhere clip.mp4", "nowhere does not exist"),
        ("export nowhere folder", "nowhere does not exist"),
        ("analyse nowhere", "nowhere: no such folder"),
        ("analyse --bias nowhere", "nowhere: no such folder"),
    ],
)
def test_wrong_paths_are_refused_before_torch_is_imported(here, command, said):
    code = (
        "import sys; from fbm.cli.main import main\n"
        "try:\n    status = main(sys.argv[1:])\n"
        "except SystemExit as stop:\n    status = stop.code\n"
        "print([name for name in ('torch', 'pytorch_lightning') if name in sys.modules], status)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *command.split()], capture_output=True, text=True, timeout=600)
    assert said in only_error(done.stderr)
    assert done.stdout == "[] 1\n"
