import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fbm.data.clips import ClipDataset, evenly_spaced
from fbm.data.datamodule import ClipDataModule
from fbm.data.store.frame_store import FrameStore
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Autoencode
from fbm.training.callbacks import OnlineProbes
from fbm.training.callbacks.probes import KNN, LINEAR
from fbm.utils.errors import UserError
from tests.tasks.test_task import ADAM
from tests.tiny import fbm, make_store, settings

EACH = "_target_:pytorch_lightning.callbacks.ModelCheckpoint,dirpath:each,filename:'{epoch}',save_top_k:-1"
EVERY_EPOCH = f"+callbacks.each={{{EACH}}}"


@pytest.fixture
def train(store, tmp_path, monkeypatch):
    """Trains in an empty folder; gives the run folder."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *more: str, of: Path = store) -> Path:
        small = settings(of, "callbacks.gallery=null", f"name={name}")
        assert fbm("train", *small, *more) == 0
        return Path("outputs/demo") / name

    return run


def checkpoint(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def measured(run: Path) -> list[int]:
    """The epochs whose row in the metrics has both probes."""
    with (run / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get(KNN)]
    assert all(0 <= float(row[name]) <= 1 for row in rows for name in (KNN, LINEAR))
    return [int(row["epoch"]) for row in rows]


def test_pretraining_is_the_same_with_and_without(train):
    """Bit for bit: probes teach nothing, and draw from no generator."""
    epochs = "trainer.max_epochs=2"
    runs = [
        train("with", epochs, "task=disentangle", "callbacks.probes.every=1"),
        train("without", epochs, "task=disentangle", "callbacks.probes=null"),
    ]
    one, other = (checkpoint(run / "checkpoints" / "last.ckpt")["state_dict"] for run in runs)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [measured(run) for run in runs] == [[0, 1], []]


@pytest.mark.parametrize(("every", "epochs"), [(2, [0, 2, 3]), (9, [0, 3])])
def test_on_a_schedule_and_in_the_last_epoch_and_never_as_another_epochs(train, every, epochs):
    run = train("run", "task=autoencode", "trainer.max_epochs=4", f"callbacks.probes.every={every}", EVERY_EPOCH)
    assert measured(run) == epochs
    kept = {n: checkpoint(Path("each") / f"epoch={n}.ckpt")["fbm"]["metrics"] for n in range(4)}
    assert [n for n, metrics in kept.items() if KNN in metrics and LINEAR in metrics] == epochs
    assert [n for n, metrics in kept.items() if KNN in metrics or LINEAR in metrics] == epochs


def test_a_class_that_is_a_colour_is_told(train):
    """The store's classes are colours: whatever the encoder is, its neighbours are of its class."""
    metrics = checkpoint(train("run", "task=autoencode") / "checkpoints" / "last.ckpt")["fbm"]["metrics"]
    assert metrics[KNN] > 0.8
    assert metrics[LINEAR] > 0.8


def test_classification_is_not_probed(train):
    assert measured(train("run", "task=classify")) == []


def test_without_validation_clips_nothing_is_measured(train, tmp_path):
    store = make_store(tmp_path / "store", val=False)
    assert measured(train("run", "task=autoencode", "data.validation=0", of=store)) == []


@pytest.fixture(scope="module")
def clips(store) -> dict[str, ClipDataset]:
    return {split: ClipDataset(FrameStore(store), split, 32, 16, seed=0) for split in ("train", "val")}


def test_a_single_class_is_not_probed(clips):
    task = Autoencode(C3DEncoder(4, 16, 32), ADAM)
    one = ClipDataset(clips["train"].store, "train", 32, 16, seed=0)
    assert set(OnlineProbes(1, 50, 5)._measure(task, one, clips["val"])) == {KNN, LINEAR}
    one.labels = [0] * len(one.labels)
    assert OnlineProbes(1, 50, 5)._measure(task, one, clips["val"]) == {}


def test_no_more_clips_than_asked_for(clips, monkeypatch):
    used: list[list[int]] = []

    def features(encoder, some, samples):
        used.append(samples)
        return torch.randn(len(samples), 3, 1, 1)

    monkeypatch.setattr("fbm.training.callbacks.probes.features", features)
    OnlineProbes(1, 4, 5)._measure(Autoencode(C3DEncoder(4, 16, 32), ADAM), clips["train"], clips["val"])
    assert used == [[0, 6, 11, 17], [0, 2, 3, 5]]
    assert evenly_spaced(3, 50) == [0, 1, 2]


@pytest.mark.parametrize("first", [True, False])
def test_the_first_rank_measures_for_all(clips, monkeypatch, first):
    """The others log what it tells them."""
    told = {KNN: 0.5, LINEAR: 0.25}
    measured: list[Any] = []
    sent: list[dict[str, float]] = []
    logged: dict[str, float] = {}

    def measure(*of: Any) -> dict[str, float]:
        measured.append(of)
        return told

    def broadcast(values: dict[str, float]) -> dict[str, float]:
        sent.append(values)
        return told

    monkeypatch.setattr(OnlineProbes, "_measure", measure)

    task = Autoencode(C3DEncoder(4, 16, 32), ADAM)
    monkeypatch.setattr(task, "log", lambda name, value, **_: logged.update({name: value}))
    data = ClipDataModule.__new__(ClipDataModule)
    data.clips = clips
    trainer: Any = SimpleNamespace(
        **{"is_global_zero": first, "datamodule": data, "callback_metrics": {}, "sanity_checking": False},
        **{"current_epoch": 0, "max_epochs": 2, "strategy": SimpleNamespace(broadcast=broadcast)},
    )
    OnlineProbes(1, 50, 5).on_validation_epoch_end(trainer, task)
    assert logged == told
    assert (len(measured), sent) == ((1, [told]) if first else (0, [{}]))


@pytest.mark.parametrize("numbers", [(0, 8, 5), (1, 1, 5), (1, 8, 0)])
def test_numbers_that_make_no_sense_are_refused(numbers):
    with pytest.raises(UserError, match=r"callbacks\.probes"):
        OnlineProbes(*numbers)
