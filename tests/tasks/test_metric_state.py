from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy

from fbm.tasks.metric_state import restore_states, states_of_ranks
from fbm.tasks.metrics import Mean


def metrics(*values: float) -> dict[str, Metric]:
    made: dict[str, Metric] = {"train/loss": Mean(), "train/top1": MulticlassAccuracy(3, average="micro")}
    for value in values:
        made["train/loss"].update(torch.tensor(value), 2)
        made["train/top1"].update(torch.tensor([int(value)]), torch.tensor([1]))
    return made


@pytest.fixture
def saved_by(monkeypatch) -> Callable[..., dict[str, Tensor]]:
    """What is saved when some ranks have these metrics."""

    def save(*ranks: dict[str, Metric]) -> dict[str, Tensor]:
        own = [states_of_ranks(rank) for rank in ranks]
        asked = iter(own[0])  # one after the other, in the same order on every rank
        with monkeypatch.context() as patch:
            patch.setattr(
                "fbm.tasks.metric_state.all_gather",
                lambda _: [states[name][0] for name in [next(asked)] for states in own],
            )
            return states_of_ranks(ranks[0])

    return save


def values(found: dict[str, Metric]) -> list[float]:
    return [float(metric.compute()) for metric in found.values()]


def test_as_many_ranks_have_each_its_own_again(saved_by):
    ranks = [metrics(0.5, 1.0), metrics(2.0)]
    states = saved_by(*ranks)
    assert states["train/loss.total"].tolist() == [3, 4]
    assert len(states["train/top1.tp"]) == 2
    for rank, whole in enumerate(ranks):
        gone_on = metrics(7.0)  # what they hold does not stay
        restore_states(gone_on, states, rank, 2)
        for found in (gone_on, whole):
            found["train/loss"].update(torch.tensor(0.3), 2)
            found["train/top1"].update(torch.tensor([1]), torch.tensor([1]))
        assert values(gone_on) == values(whole)


@pytest.mark.parametrize("ranks", [1, 3])
def test_of_another_number_of_ranks_the_first_has_all(saved_by, ranks):
    states = saved_by(metrics(0.5, 1.0), metrics(2.0))
    found = [metrics(7.0) for _ in range(ranks)]
    for rank, made in enumerate(found):
        restore_states(made, states, rank, ranks)
    assert values(found[0]) == [pytest.approx(3.5 / 3), pytest.approx(1 / 3)]
    assert all(int(rank["train/loss"].metric_state["samples"]) == 0 for rank in found[1:])  # type: ignore[arg-type]


def test_what_was_not_saved_begins_anew():
    made = metrics(1.0)
    restore_states(made, {}, 0, 1)
    assert int(made["train/loss"].metric_state["samples"]) == 0  # type: ignore[arg-type]


def test_a_restored_state_is_nobody_elses(saved_by):
    states = saved_by(metrics(1.0))
    made = metrics()
    restore_states(made, states, 0, 1)
    made["train/top1"].update(torch.tensor([1]), torch.tensor([1]))
    assert states["train/top1.tp"].flatten().tolist() == [1]
