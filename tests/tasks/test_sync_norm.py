from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fbm.models.encoder import C3DEncoder
from fbm.models.sync_norm import SyncNorm3d
from fbm.tasks import Autoencode
from fbm.tasks.sync_norm import SyncNorms
from fbm.tasks.task import parameter_groups
from tests.tasks.test_task import ADAM


@pytest.mark.parametrize(("device", "kind"), [("cpu", SyncNorm3d), ("cuda", nn.SyncBatchNorm)])
def test_norms_are_made_one_over_ranks_and_set_free_again(device, kind):
    """The weights are on the processor in either case: only the trainer knows where they will be."""
    torch.manual_seed(0)
    task = Autoencode(C3DEncoder(4, 8, 32), ADAM)
    task._trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device(device)))  # type: ignore[assignment]
    names, parameters = list(task.state_dict()), list(task.parameters())
    groups = [[id(parameter) for parameter in group["params"]] for group in parameter_groups(task.network)]
    plugin = SyncNorms()
    assert plugin.apply(task) is task
    assert (
        sum(isinstance(layer, kind) for layer in task.modules()) == len(groups[1]) / 2 > 10
    )  # a weight and a bias each
    for synchronised in (True, False):
        assert list(task.state_dict()) == names
        assert all(one is other for one, other in zip(task.parameters(), parameters, strict=True))
        assert [[id(p) for p in group["params"]] for group in parameter_groups(task.network)] == groups
        if synchronised:
            assert plugin.revert(task) is task
    assert not any(isinstance(layer, SyncNorm3d | nn.SyncBatchNorm) for layer in task.modules())
