"""The programs compute the same, the floor is made of what a step is made of, and memory is counted once."""

import pytest
import torch
from torch import nn
from torch._C._autograd import DeviceType
from torch.autograd.profiler_util import EventList, FunctionEvent

from benchmarks.floor import floor
from benchmarks.made_store import make_store
from benchmarks.memory import needed
from benchmarks.plain import PlainClips, plain_loss
from benchmarks.profiles import kernels_of, profiled, shares_of
from benchmarks.programs import loss_of
from benchmarks.result import Row, Table
from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.models.encoder import C3DEncoder
from fbm.tasks.autoencode import Autoencode
from fbm.tasks.classify import Classify
from fbm.tasks.disentangle import Disentangle
from fbm.tasks.task import Task
from fbm.utils.errors import UserError


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> ClipDataset:
    store = make_store(tmp_path_factory.mktemp("made") / "store", videos=8, size=32, frames=34)
    return ClipDataset(FrameStore(store), "train", 32, 16, seed=0)


def make_task(name: str) -> Task:
    torch.manual_seed(0)
    encoder = C3DEncoder(4, 16, 32)
    optimizer = torch.optim.SGD
    made: dict[str, Task] = {
        "disentangle": Disentangle(encoder, optimizer),
        "autoencode": Autoencode(encoder, optimizer),
        "classify": Classify(encoder, optimizer, [f"Class{number}" for number in range(6)]),
    }
    return made[name].train()


@pytest.mark.parametrize("name", ["disentangle", "autoencode", "classify"])
def test_the_straightforward_program_has_the_same_loss(clips, name):

    batch = clips.batch([SampleKey(0, sample) for sample in range(4)])
    plain = [torch.stack(column) for column in zip(*(PlainClips(clips)[sample] for sample in range(4)), strict=True)]
    ours = loss_of(make_task(name), batch)
    theirs = plain_loss(make_task(name))(plain)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-4)


def test_the_straightforward_programs_kernels_lie_as_torch_makes_them():
    task = make_task("disentangle")
    plain_loss(task)
    assert all(weight.is_contiguous() for weight in task.network.parameters())


def test_the_straightforward_program_refuses_a_network_that_it_does_not_know():
    task = make_task("classify")
    task.network = nn.Sequential()
    with pytest.raises(UserError, match="knows no Sequential: leave plain out of --programs"):
        plain_loss(task)


def event(name: str, start: int, end: int, device: DeviceType = DeviceType.CPU) -> FunctionEvent:
    """An event of a profile, in microseconds, as torch makes it where it also looks at a GPU."""
    return FunctionEvent(0, name, 0, start, end, stack=(), device_type=device, use_device="cuda")


@pytest.mark.parametrize(("on_gpu", "norm"), [(True, 0.25), (False, 10 / 14)])
def test_shares_count_no_kernel_twice(on_gpu, norm):
    """A kernel's own event has another name than the operator that launched it, and the same time."""
    operators = {"convolution": (0, 4), "cudnn_convolution": (1, 4), "native_batch_norm": (10, 20)}
    called = {name: event(f"aten::{name}", *times) for name, times in operators.items()}
    called["cudnn_convolution"].append_kernel("sm90_xmma_fprop", 0, 60)
    called["native_batch_norm"].append_kernel("elementwise_kernel", 0, 20)
    kernels = [event(name, 0, end, DeviceType.CUDA) for name, end in (("sm90_xmma_fprop", 60), ("elementwise", 20))]
    events = EventList([*called.values(), *kernels], use_device="cuda")
    events._build_tree()
    averages = events.key_averages()
    shares = shares_of(averages, on_gpu)
    assert shares == {"convolutions and products": pytest.approx(1 - norm), "batch norm": pytest.approx(norm)}
    kernels_found = {kernel.name: kernel.seconds for kernel in kernels_of(averages, on_gpu)}
    if on_gpu:
        assert kernels_found == pytest.approx({"sm90_xmma_fprop": 60e-6, "elementwise": 20e-6})
    else:
        assert next(iter(kernels_found)) == "aten::native_batch_norm"
        assert len(kernels_found) == len(operators)


def test_a_profile_adds_up_some_calls():
    given = torch.ones(64, 64)
    found = profiled(lambda: torch.mm(given, given).relu(), torch.device("cpu"), times=3)
    counts = {kernel.name: kernel.count for kernel in found.kernels}
    assert (counts["aten::mm"], counts["aten::relu"]) == (3, 3)
    assert found.seconds == pytest.approx(sum(kernel.seconds for kernel in found.kernels))
    assert 0 < found.seconds <= found.wall
    assert sum(found.shares.values()) == pytest.approx(1)


def test_the_floor_holds_a_steps_products_and_no_more():
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    given = torch.randn(5, 3, 8, 8)
    found = floor(lambda: layers(given).square().mean(), torch.device("cpu"))
    # The convolution and its gradient; the linear layer's product, and its input's and its weights' gradients.
    assert found.products == 5
    assert found.seconds > 0
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["convolutions and products"] > 0


def test_memory_is_counted_once():
    layers = nn.Sequential(nn.Linear(10, 20, bias=False), nn.ReLU(inplace=True), nn.Linear(20, 1, bias=False))
    given = torch.randn(7, 10)
    found = needed(lambda: layers(given).sum(), layers)
    weights = 4 * (200 + 20)
    assert (found.parameters, found.gradients, found.state) == (weights, weights, 2 * weights)
    assert found.activations == 4 * (7 * 10 + 7 * 20)  # what each product was given; ReLU keeps the second's
    assert found.total == 4 * weights + found.activations


def test_ratios_are_of_pairs_and_say_how_much_faster_ours_is():
    rates = Table("a", "clips/s", "more", [Row("ours", [10.0, 20.0, 30.0]), Row("other", [5.0, 20.0, 1.0])])
    assert rates.times(rates.rows[1]) == 2
    times = Table("a", "s", "less", [Row("ours", [1.0, 2.0]), Row("other", [4.0, 4.0])])
    assert times.times(times.rows[1]) == 3
    assert "| other | 4 | 4 to 4 | 3.00 |  |" in times.text()
