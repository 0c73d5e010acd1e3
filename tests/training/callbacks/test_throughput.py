import warnings
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch.utils.flop_counter import FlopCounterMode

from fbm.data.batch import ClipBatch
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Autoencode, Classify, Disentangle
from fbm.tasks.task import Task
from fbm.training.callbacks import Throughput
from fbm.training.callbacks.peaks import peak_of
from tests.tasks.training import CLIP, data_of, trainer_of
from tests.tiny import CLASSES, SIZE

BATCH = ClipBatch(*(torch.zeros(8) for _ in ClipBatch._fields))
CPU = SimpleNamespace(root_device=torch.device("cpu"), reduce_boolean_decision=bool)


class Clock:
    """Time that passes when it is told to, and what was logged in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ranks: int = 1) -> None:
        self.now = 10.0
        monkeypatch.setattr("fbm.training.callbacks.throughput.time.perf_counter", lambda: self.now)
        self.logged: dict[str, float] = {}
        self.module: Any = SimpleNamespace(log_dict=lambda values, **_: self.logged.update(values))
        precision = pl.plugins.Precision()
        self.trainer: Any = SimpleNamespace(
            **{"world_size": ranks, "is_last_batch": False, "strategy": CPU, "precision_plugin": precision},
            **{"is_global_zero": True, "current_epoch": 0},
        )
        self.callback = Throughput()

    def call(self, hook: Callable[..., None], *more: Any) -> None:
        hook(self.callback, self.trainer, self.module, *more)

    def step(self, waiting: float, working: float, last: bool = False, work: Callable[[], Any] = lambda: None) -> None:
        """A step of eight clips."""
        self.trainer.is_last_batch = last
        self.now += waiting
        self.call(Throughput.on_train_batch_start, BATCH, 0)
        work()
        self.now += working
        self.call(Throughput.on_train_batch_end, None, BATCH, 0)

    def epoch(self, steps: int, waiting: float) -> None:
        """Steps of one second, of which so much is waiting."""
        self.call(Throughput.on_train_epoch_start)
        for step in range(steps):
            self.step(waiting, 1 - waiting, last=step == steps - 1)
        self.trainer.current_epoch += 1


@pytest.mark.parametrize("begin", [Throughput.on_train_epoch_start, Throughput.on_train_start])
def test_speed_and_share_of_waiting(monkeypatch, begin):
    """Two steps of 8 clips on 2 ranks: 1 s waiting and 3 s working each, validation not counted.

    An epoch that goes on in its middle is not started: training is. Of a processor nobody knows the peak.
    """
    clock = Clock(monkeypatch, ranks=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clock.call(begin)
    clock.step(1, 3)
    clock.call(Throughput.on_validation_start)
    clock.now += 100
    clock.call(Throughput.on_validation_end)
    assert not clock.logged
    clock.step(1, 3, last=True)
    assert clock.logged == {
        "time/clips_per_second": pytest.approx(32 / 8),
        "time/step_seconds": pytest.approx(4),
        "time/data_wait_share": pytest.approx(2 / 8),
    }


def test_one_line_in_a_fit_that_waits(monkeypatch, capsys, store):
    clock = Clock(monkeypatch)
    clock.trainer.datamodule = data_of(store, workers=3)
    clock.call(Throughput.on_train_start)
    clock.epoch(9, 0.9)  # too few to say
    clock.epoch(10, 0.19)
    assert capsys.readouterr().out == ""
    clock.epoch(10, 0.36)
    clock.epoch(10, 0.9)
    assert capsys.readouterr().out == (
        "epoch 3 waited for data 36% of its time (data.num_workers=3): raise data.num_workers, or put the store on a "
        "faster disk\n"
    )
    clock.call(Throughput.on_train_start)
    clock.trainer.is_global_zero = False
    clock.epoch(10, 0.9)
    clock.trainer.is_global_zero, clock.trainer.datamodule = True, None
    clock.epoch(10, 0.9)
    assert capsys.readouterr().out.startswith("epoch 6 waited for data 90% of its time: raise")


# --- use of the device

ADAM = partial(torch.optim.Adam, lr=1e-3)
TASKS: dict[str, Callable[[C3DEncoder], Task]] = {
    "disentangle": partial(Disentangle, optimizer=ADAM),
    "autoencode": partial(Autoencode, optimizer=ADAM),
    "classify": partial(Classify, optimizer=ADAM, classes=CLASSES),
}


@pytest.fixture
def peak(monkeypatch) -> Iterator[float]:
    monkeypatch.setattr("fbm.training.callbacks.throughput.peak_of", lambda device, dtype: 1e12)
    yield 1e12
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None  # nothing counts any longer


@pytest.mark.parametrize("name", TASKS)
def test_share_of_the_peak(store, peak, monkeypatch, name):
    """What one step does is counted, and each epoch's speed told by it."""
    task, data = TASKS[name](C3DEncoder(4, CLIP, SIZE)), data_of(store)
    callback = Throughput()
    trainer = trainer_of(1, callbacks=[callback])
    trainer.fit(task, data)
    told = {key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("time/")}
    assert told["time/flop_share"] == pytest.approx(callback.clip_flops * told["time/clips_per_second"] / peak)
    monkeypatch.setattr(task, "log_metric", lambda *_, **__: None)  # there is no trainer now
    batch = next(iter(data.train_dataloader()))
    with FlopCounterMode(display=False) as counter:
        loss = task.training_step(batch, 0)
        assert isinstance(loss, torch.Tensor)
        loss.backward()
    assert callback.clip_flops * len(batch.frames) == counter.get_total_flops()


def test_operations_are_those_of_convolutions_and_matrix_products(store, peak):
    """Each twice its multiplications, forwards and for two gradients; the clip needs none."""
    task = TASKS["classify"](C3DEncoder(4, CLIP, SIZE))
    callback = Throughput()
    trainer_of(1, callbacks=[callback], max_epochs=1).fit(task, data_of(store))
    products = [0]

    def count(layer: Any, inputs: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        products[0] += (2 if inputs[0].shape[1] == 3 else 3) * made.numel() * layer.weight[0].numel()

    for layer in task.network.modules():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            layer.register_forward_hook(count)
    task.network.eval()(torch.zeros(1, 3, CLIP, SIZE, SIZE))
    assert callback.clip_flops == 2 * products[0]


def test_the_counted_step_is_in_no_time(monkeypatch, peak):
    clock = Clock(monkeypatch)
    clock.call(Throughput.on_train_start)
    product = partial(torch.mm, torch.zeros(8, 3), torch.zeros(3, 5))
    clock.step(50, 100, work=product, last=True)
    assert not clock.logged
    clock.call(Throughput.on_train_epoch_start)
    clock.step(1, 1)
    clock.step(1, 1, last=True)
    assert clock.logged["time/step_seconds"] == pytest.approx(2)
    assert clock.callback.clip_flops == 2 * 3 * 5
    assert clock.logged["time/flop_share"] == pytest.approx(30 * 4 / peak)


def test_where_one_ranks_peak_is_not_known_none_is_told(monkeypatch, peak):
    clock = Clock(monkeypatch)
    clock.trainer.strategy = SimpleNamespace(root_device=CPU.root_device, reduce_boolean_decision=lambda known: False)
    clock.call(Throughput.on_train_start)
    clock.epoch(2, 0.1)
    assert "time/flop_share" not in clock.logged


@pytest.mark.parametrize(
    ("name", "half", "tf32", "single"),
    [
        ("NVIDIA H100 80GB HBM3", 989.4, 494.7, 67.0),
        ("NVIDIA H100 PCIe", 756.0, 378.0, 51.2),
        ("NVIDIA H100 NVL", 835.5, 417.5, 60.0),
        ("NVIDIA H200", 989.4, 494.7, 67.0),
        ("NVIDIA H200 NVL", 835.5, 417.5, 60.0),
        ("NVIDIA GH200 480GB", 989.4, 494.7, 67.0),
        ("NVIDIA A100-SXM4-80GB", 312.0, 156.0, 19.5),  # Lightning's
        ("NVIDIA H200 MIG 1g.18gb", 0.0, 0.0, 0.0),
        ("Voodoo 2", 0.0, 0.0, 0.0),
    ],
)
def test_peaks_of_gpus_by_their_names(monkeypatch, name, half, tf32, single):
    """Dense, as NVIDIA's data sheets have them; float32 by what is taken for its products."""
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    monkeypatch.setattr("lightning_fabric.accelerators.cuda._is_ampere_or_later", lambda: True)
    device, before = torch.device("cuda:0"), torch.get_float32_matmul_precision()
    found = [peak_of(device, torch.bfloat16), peak_of(device, torch.float16)]
    try:
        for products in ("high", "highest"):
            torch.set_float32_matmul_precision(products)
            found.append(peak_of(device, torch.float32))
    finally:
        torch.set_float32_matmul_precision(before)
    assert found == pytest.approx([1e12 * value for value in (half, half, tf32, single)])


def test_nobody_knows_a_processors_peak():
    assert peak_of(torch.device("cpu"), torch.float32) == 0


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 5, bias=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.inner(rows).sum()  # type: ignore[no-any-return]


def test_a_compiled_network_is_counted_and_compiled_all_the_same(monkeypatch, peak):
    clock = Clock(monkeypatch)
    layer = Layer()
    torch.compiler.reset()
    layer.compile(backend="aot_eager")
    counters.clear()
    clock.call(Throughput.on_train_start)

    def work() -> None:
        layer(torch.zeros(8, 3)).backward()

    clock.step(1, 1, work=work)
    assert counters["stats"]["unique_graphs"] == 0
    clock.step(1, 1, work=work)
    assert counters["stats"]["unique_graphs"] == 1
    assert clock.callback.clip_flops == 2 * 2 * 3 * 5


def test_a_step_that_fails_ends_the_counting(monkeypatch, peak):
    clock = Clock(monkeypatch)
    clock.call(Throughput.on_train_start)
    with pytest.raises(ZeroDivisionError):
        clock.step(1, 1, work=lambda: 1 / 0)
    clock.call(Throughput.on_exception, ZeroDivisionError())
