"""Several ranks against one: with group norm the same losses, weights, metrics and samples."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from fbm.models.encoder import C3DEncoder
from fbm.models.layers import Norm
from fbm.models.resnet import R2Plus1D18
from fbm.tasks import Autoencode, Classify, ClipOrder, Contrast, ContrastiveDisentangle, Disentangle
from fbm.tasks.adversarial import PatchGANLoss
from fbm.tasks.augmentation import Augmentation
from fbm.tasks.task import Task
from tests.tasks.training import Save, data_of, exact, fitted, outcome, uneven_store
from tests.training.two_ranks import on_ranks

pytestmark = pytest.mark.slow

CLASSES = ["a", "b", "c"]
# Some biases before a norm have no gradient but rounding's: eps keeps Adam from making steps of it.
ADAM = partial(torch.optim.Adam, lr=1e-3, weight_decay=1e-3, eps=1e-4)
SGD = partial(torch.optim.SGD, lr=0.02, momentum=0.9, weight_decay=1e-3)
SLOW = partial(torch.optim.SGD, lr=1e-6)

FEW: dict[str, Any] = {"limit_train_batches": 2}
THREE: dict[str, Any] = {"limit_train_batches": 3, "probes": False}

SINGLE = ["disentangle", "autoencode", "classify", "residual", "contrast", "order"]
SOME_BATCHES = "some batches, double"
SIX_STEPS = [
    "contrast, double",
    "disentangle with contrast, double",
    "disentangle, double",
    "accumulated and clipped, double",
]
DOUBLE = [*SIX_STEPS, SOME_BATCHES]
FROZEN, BATCH_NORM = "frozen", "batch norm"
WHOLE, GONE_ON = "whole", "gone on"


Case = tuple[Callable[[C3DEncoder], Task], dict[str, Any]]
CASES: dict[str, Case] = {
    "disentangle": (lambda encoder: Disentangle(encoder, SLOW), FEW),
    "autoencode": (lambda encoder: Autoencode(encoder, SLOW), FEW),
    "classify": (lambda encoder: Classify(encoder, SLOW, CLASSES), FEW),
    "residual": (lambda _: Classify(R2Plus1D18(4, 8, 32, "group"), SLOW, CLASSES), FEW),
    # Its loss compares the clips of all ranks, and takes backgrounds from them.
    "contrast": (lambda encoder: augmented(Contrast(encoder, SLOW, background="paste")), FEW),
    "order": (lambda encoder: augmented(ClipOrder(encoder, SLOW, interval=2)), FEW),
    "contrast, double": (lambda encoder: exact(Contrast(encoder, ADAM, background="paste")), THREE),
    "disentangle with contrast, double": (lambda encoder: exact(ContrastiveDisentangle(encoder, ADAM)), THREE),
    "disentangle, double": (
        lambda encoder: exact(
            Disentangle(encoder, ADAM, target="random", adversarial=0.5, discriminator=partial(PatchGANLoss, width=4))
        ),
        THREE,
    ),
    "accumulated and clipped, double": (
        lambda encoder: exact(Autoencode(encoder, SGD)),
        # Three batches an epoch: a step of two and one of one.
        {**THREE, "accumulate_grad_batches": 2, "gradient_clip_val": 0.05},
    ),
    SOME_BATCHES: (
        lambda encoder: exact(Classify(encoder, SGD, CLASSES, encoder_gradient=0.5)),
        {**FEW, "limit_val_batches": 1, "limit_test_batches": 2},
    ),
    "frozen": (lambda encoder: Classify(encoder, SGD, CLASSES, encoder_gradient=0), FEW),
    "batch norm": (lambda encoder: Disentangle(encoder, ADAM), {**FEW, "max_epochs": 1}),
}


def augmented(task: Task) -> Task:
    task.augmentation = Augmentation((0.3, 1.0), jitter=0.8, brightness=0.4, contrast=0.4, hue=0.1, grey=0.2, blur=0.5)
    return task


def made(name: str) -> Task:
    torch.manual_seed(0)
    norm: Norm = "batch" if name == BATCH_NORM else "group"
    return CASES[name][0](C3DEncoder(4, 8, 32, norm, norm))


def outcomes(folder: Path) -> dict[str, Any]:
    """Of every case, on as many ranks as there are; and of one that is left in its second epoch and goes on."""
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    found = {name: outcome(made(name), folder / "store", ranks, **options) for name, (_, options) in CASES.items()}
    data, saved = partial(data_of, folder / "store"), folder / f"{ranks}.ckpt"
    found[WHOLE] = fitted(made(FROZEN), data(), ranks, save=Save(8, saved))
    return {**found, GONE_ON: fitted(made(FROZEN), data(), ranks, start=saved)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place: Path = tmp_path_factory.mktemp("ranks")
    uneven_store(place / "store")
    return place


@pytest.fixture(scope="module")
def runs(folder) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What one rank does, and each of two."""
    return outcomes(folder), on_ranks(outcomes, folder)


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    assert one.keys() == other.keys()
    return max(float((torch.as_tensor(one[name]) - torch.as_tensor(other[name])).abs().max()) for name in one)


@pytest.mark.parametrize("name", CASES)
def test_both_ranks_log_and_learn_the_same(runs, name):
    first, second = (run[name] for run in runs[1])
    assert difference(first["weights"], second["weights"]) == 0
    assert first["epochs"] == second["epochs"]
    assert first["test"] == second["test"]
    assert first["tested"] == second["tested"]


@pytest.mark.parametrize(("name", "most"), [*((n, 1e-5) for n in (*SINGLE, FROZEN)), *((n, 1e-9) for n in DOUBLE)])
def test_two_ranks_learn_what_one_does(runs, name, most):
    one, two = runs[0][name], runs[1][0][name]
    assert difference(one["weights"], two["weights"]) < most
    assert len(one["epochs"]) == len(two["epochs"]) == 2
    for alone, together in zip([*one["epochs"], one["test"]], [*two["epochs"], two["test"]], strict=True):
        assert difference(alone, together) < 1e-5
    assert one["tested"] == two["tested"]
    assert one["epochs"][0]["train/loss"] != one["epochs"][1]["train/loss"]


@pytest.mark.parametrize("name", CASES)
def test_a_step_holds_the_same_samples(runs, name):
    one, two = runs[0][name]["steps"], [run[name]["steps"] for run in runs[1]]
    assert len(one) == len(two[0]) == len(two[1]) == {**dict.fromkeys(SIX_STEPS, 6), BATCH_NORM: 2}.get(name, 4)
    for alone, first, second in zip(one, *two, strict=True):
        assert (first, second) == (alone[::2], alone[1::2])


@pytest.mark.parametrize("name", CASES)
def test_every_sample_is_measured_once(runs, name):
    expected = {"val": range(15), "test": range(21)} if name != SOME_BATCHES else {"val": range(8), "test": range(16)}
    for split, samples in expected.items():
        assert runs[0][name]["evaluated"][split] == list(samples)
        shares = [run[name]["evaluated"][split] for run in runs[1]]
        assert shares == [list(samples[rank::2]) for rank in range(2)]


def test_batch_norm_is_each_ranks_own(runs):
    """Else nothing above would show that group norm does anything."""
    assert difference(runs[0][BATCH_NORM]["epochs"][0], runs[1][0][BATCH_NORM]["epochs"][0]) > 1e-3


def test_probes_and_confusions_are_the_same_on_every_rank(runs):
    for run in (runs[0], *runs[1]):
        assert {"val/knn_top1", "val/linear_top1"} <= set(run["autoencode"]["epochs"][0])
        assert sum(map(sum, run[FROZEN]["tested"]["confusion"])) == 21
        assert sum(map(sum, run[FROZEN]["tested"]["video_confusion"])) == 7


def test_two_ranks_go_on_bit_by_bit_in_the_middle_of_an_epoch(runs):
    for run in runs[1]:
        whole, gone_on = run[WHOLE], run[GONE_ON]
        assert gone_on["steps"] == whole["steps"][8:]
        assert gone_on["epochs"] == whole["epochs"][1:]
        assert difference(gone_on["weights"], whole["weights"]) == 0


def test_one_rank_goes_on_where_two_were(runs, folder):
    """What the two had measured of the epoch is not lost."""
    saved, whole = folder / "2.ckpt", runs[0][WHOLE]
    gone_on = fitted(made(FROZEN), data_of(folder / "store"), 1, start=saved)
    assert gone_on["steps"] == whole["steps"][8:]
    assert difference(gone_on["epochs"][0], whole["epochs"][1]) < 1e-5


def few_steps(folder: Path) -> dict[str, Any]:
    """Two cases alone, on as many ranks as there are."""
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    names = ("disentangle", "contrast")
    return {name: outcome(made(name), folder / "store", ranks, probes=False, **FEW) for name in names}


def test_four_ranks_learn_what_one_does(tmp_path):
    uneven_store(tmp_path / "store")
    alone, together = few_steps(tmp_path), on_ranks(few_steps, tmp_path, ranks=4)
    for name, one in alone.items():
        assert_alike(one, [rank[name] for rank in together])


def assert_alike(one: dict[str, Any], four: list[dict[str, Any]]) -> None:
    """One rank and four log and learn the same."""
    assert all(difference(four[0]["weights"], other["weights"]) == 0 for other in four[1:])
    assert difference(one["weights"], four[0]["weights"]) < 1e-5
    for alone, together in zip([*one["epochs"], one["test"]], [*four[0]["epochs"], four[0]["test"]], strict=True):
        assert difference(alone, together) < 1e-5
