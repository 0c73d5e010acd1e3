"""What docs/encoders.md and docs/tasks.md show, done: a user's encoder and task from a few files of their own."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from fbm import load_encoder
from tests.conftest import REPOSITORY
from tests.data.small_videos import make_video
from tests.tiny import fbm, settings
from tests.training.interrupted import Moment, assert_same, killed, summary

RUNS = Path("outputs/demo")
QUICK = ("data.batch_size=4", "trainer.max_epochs=2", "test=true", "callbacks.last.minutes=0")  # four steps an epoch


@pytest.fixture
def write(tmp_path, monkeypatch) -> Callable[[str], list[str]]:
    """Writes the files that a document shows into the working directory; gives their names."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("mypackage")]:
        monkeypatch.delitem(sys.modules, name)

    def files_of(document: str) -> list[str]:
        text = (REPOSITORY / "docs" / document).read_text()
        files = re.findall(r"```\w+\n# (\S+\.(?:py|yaml))\n(.*?)```", text, re.DOTALL)
        for name, content in files:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content)
        return [name for name, _ in files]

    return files_of


@pytest.fixture
def train(store) -> Callable[..., int]:
    def run(*more: str, encoder: str = "c3d_small") -> int:
        words = [word for word in settings(store, *QUICK) if encoder == "c3d_small" or not word.startswith("encoder.")]
        return fbm("train", "--config-dir", "my_conf", *words, f"encoder={encoder}", *more)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("stride", [8, 32])
def test_an_encoder_is_one_file_and_one_config(write, train, stride):
    assert len(write("encoders.md")) == 2
    size = 32 // stride
    own = (f"encoder.stride={stride}", "encoder.channels=12")
    for name, task in (("a", "disentangle"), ("b", "autoencode")):
        assert train(f"task={task}", f"name={name}", *own, encoder="flat") == 0
    run = ("task=disentangle", "name=resumed", *own)
    killed(lambda: train(*run, encoder="flat"), Moment("on_train_batch_start", 1, 2))
    assert train(*run, encoder="flat") == 0
    assert summary(RUNS / "resumed")["resumed"] == 1
    assert_same(RUNS / "resumed", RUNS / "a")
    start = ("init=ours", f"init.checkpoint={RUNS / 'a'}")
    assert train("task=classify", "name=c", *start, *own, encoder="flat") == 0
    encoder = load_encoder(RUNS / "c")
    assert encoder(torch.zeros(2, 3, 16, 32, 32)).shape == (2, 12, size, size)
    video = make_video(Path("films/one.mp4"), 0)
    assert fbm("extract", str(RUNS / "a"), str(video), "--out", "a.npz", "--part", "motion", "--pool", "none") == 0
    assert np.load("a.npz")["features"].shape[1:] == (4 * size * size,)
    assert fbm("analyse", str(RUNS / "a"), "--resamples", "100") == 0
    assert (RUNS / "a" / "probes.json").is_file()


@pytest.mark.slow
def test_a_task_is_one_file_and_a_config_and_an_initialisation(write, train):
    assert len(write("tasks.md")) == 3
    assert train("task=masked", "name=masked") == 0
    metrics = summary(RUNS / "masked")["metrics"]
    assert {f"{split}/{name}" for split in ("train", "val", "test") for name in ("loss", "visible")} <= set(metrics)
    assert (RUNS / "masked" / "gallery" / "test.png").is_file()
    killed(lambda: train("task=masked", "name=resumed"), Moment("on_train_batch_start", 1, 2))
    assert train("task=masked", "name=resumed") == 0
    assert summary(RUNS / "resumed")["resumed"] == 1
    assert_same(RUNS / "resumed", RUNS / "masked")
    assert train("task=classify", "init=masked", f"init.checkpoint={RUNS / 'masked'}", "name=class") == 0
    assert fbm("analyse", str(RUNS / "masked"), "--resamples", "100") == 0
    assert fbm("report", str(RUNS)) == 0
    assert any("masked" in path.read_text() for path in RUNS.rglob("*.csv") if "report" in path.parts)
