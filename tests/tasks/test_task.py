from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torchmetrics import Metric

from benchmarks.programs import loss_of
from fbm.data.batch import ClipBatch
from fbm.models.encoder import C3DEncoder
from fbm.tasks import Autoencode, Classify, ClipOrder, Contrast, ContrastiveDisentangle, Disentangle
from fbm.tasks.augmentation import Augmentation
from fbm.tasks.optimizers import parameter_groups
from fbm.tasks.schedules import one_cycle
from fbm.tasks.task import Task
from tests.tasks.training import trainer_of

ADAM = partial(torch.optim.Adam, lr=0.1, weight_decay=1e-3)


@pytest.fixture(
    params=["disentangle", "autoencode", "contrast", "disentangle, contrast", "order", "classify", "frozen"]
)
def task(request) -> Task:
    torch.manual_seed(0)
    encoder = C3DEncoder(4, 8, 32)
    made: dict[str, Task] = {
        "disentangle": Disentangle(encoder, ADAM),
        "autoencode": Autoencode(encoder, ADAM),
        "contrast": Contrast(encoder, ADAM, background="paste"),
        "disentangle, contrast": ContrastiveDisentangle(encoder, ADAM),
        "order": ClipOrder(encoder, ADAM),
        "classify": Classify(encoder, ADAM, ["a", "b", "c"]),
    }
    if request.param == "frozen":
        return Classify(C3DEncoder(4, 8, 32), ADAM, ["a", "b", "c"], encoder_gradient=0)
    return made[request.param]


@pytest.fixture
def batch() -> ClipBatch:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (4, 8, 32, 32, 3), dtype=torch.uint8, generator=generator)
    masks = torch.zeros(4, 8, 32, 32, dtype=torch.uint8)
    masks[:, :, 8:24, 8:24] = 1
    return ClipBatch(frames, masks, torch.tensor([0, 1, 2, 0]), torch.arange(4), torch.arange(4), torch.ones(4).bool())


@pytest.fixture
def own(task: Task, batch: ClipBatch) -> ClipBatch:
    """The batch as the task has it read: several windows of each video, if it declares them."""
    if task.windows is None:
        return batch
    shifts = range(task.windows.clips)
    frames, masks = (torch.stack([field.roll(shift, 1) for shift in shifts], 1) for field in batch[:2])
    return batch._replace(frames=frames, masks=masks)


def test_every_trained_parameter_is_in_exactly_one_group(task):
    grouped = [id(parameter) for group in parameter_groups(task.network) for parameter in group["params"]]
    trained = [id(parameter) for parameter in task.network.parameters() if parameter.requires_grad]
    assert sorted(grouped) == sorted(trained)


def test_a_step_on_no_gradient_moves_all_but_batch_norm(task):
    """Weight decay alone: weights and biases of convolutions and linear layers, the cross convolution's bias too."""
    optimizer = task.configure_optimizers()
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.add_(0.5)  # biases start at zero, where decay does nothing
    before = {name: parameter.detach().clone() for name, parameter in task.network.named_parameters()}
    for parameter in task.network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    norms = {
        f"{name}.{own}"
        for name, layer in task.network.named_modules()
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d)
        for own in ("weight", "bias")
    }
    assert norms
    moved = {name for name, parameter in task.network.named_parameters() if not torch.equal(parameter, before[name])}
    trained = {name for name, parameter in task.network.named_parameters() if parameter.requires_grad}
    assert moved == trained - norms


def test_decay_is_plain_l2_in_the_gradient_not_decoupled():
    """Adam's first step is one learning rate long whatever the gradient's size; decoupled decay would be 1e-4."""
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.weight, 0.5)
    optimizer = ADAM(parameter_groups(layer))
    layer.weight.grad, layer.bias.grad = torch.zeros(2, 2), torch.zeros(2)
    optimizer.step()
    torch.testing.assert_close(layer.weight, torch.full((2, 2), 0.4), atol=1e-4, rtol=0)


def test_the_cross_convolutions_bias_decays():
    network = Disentangle(C3DEncoder(4, 8, 32), ADAM).network
    decayed = parameter_groups(network)[0]
    assert "weight_decay" not in decayed
    assert any(parameter is network.cross_convolution.bias for parameter in decayed["params"])


def test_all_tasks_train_the_same_encoder_parameters(task):
    assert task.encoder is task.network.encoder
    keys = {key for key in task.state_dict() if key.startswith("network.encoder.")}
    assert keys == {f"network.encoder.{key}" for key in C3DEncoder(4, 8, 32).state_dict()}


def test_schedule_steps_every_training_step():
    task = Autoencode(C3DEncoder(4, 8, 32), ADAM, partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5))
    made = task.configure_optimizers()
    assert made["lr_scheduler"]["interval"] == "step"
    for _ in range(2):
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert {group["lr"] for group in made["optimizer"].param_groups} == {0.05}


def test_inputs_are_centred_clips_and_float_masks(task, batch, own):
    clip, masks = task.inputs(own)
    count = task.windows.clips if task.windows else 1
    assert clip.shape == (4 * count, 3, 8, 32, 32)
    assert clip.is_contiguous(memory_format=torch.channels_last_3d)
    assert masks.dtype == torch.float32
    assert torch.equal(masks.flatten(), own.masks.float().flatten())
    assert clip[0, 0, 0, 0, 0] == pytest.approx(float(batch.frames[0, 0, 0, 0, 0]) / 255 * 2 - 1)


def test_disentangle_logs_the_four_terms_and_their_sum(batch):
    torch.manual_seed(0)
    terms = Disentangle(C3DEncoder(4, 8, 32), ADAM).loss_terms(batch)
    assert list(terms) == [
        "loss",
        "first_foreground",
        "first_background",
        "last_foreground",
        "features",
        "reconstruction",
    ]
    *parts, reconstruction = (float(value.detach()) for name, value in terms.items() if name != "loss")
    assert min(parts) > 0
    assert float(terms["loss"].detach()) == pytest.approx(sum(parts))
    assert reconstruction == pytest.approx(sum(parts[:3]))


def test_autoencode_is_the_mean_error_over_the_whole_clip(batch):
    torch.manual_seed(0)
    task = Autoencode(C3DEncoder(4, 8, 32), ADAM).eval()
    clip = task.inputs(batch)[0]
    assert float(task.loss_terms(batch)["loss"]) == pytest.approx(float((task.network(clip) - clip).abs().mean()))


@pytest.mark.parametrize(
    ("make", "titles"),
    [
        (Disentangle, ("first foreground", "first background", "last foreground")),
        (Autoencode, ("first frame", "middle frame", "last frame")),
    ],
)
def test_pictures_show_reconstruction_and_truth(batch, make, titles):
    task = make(C3DEncoder(4, 8, 32), ADAM).eval()
    pictures = task.visualize(batch)
    assert pictures.titles == titles
    assert pictures.reconstructed.shape == pictures.true.shape == (4, 3, 3, 32, 32)
    assert not pictures.reconstructed.requires_grad
    clip = task.inputs(batch)[0]
    if make is Autoencode:
        assert torch.equal(pictures.true, clip[:, :, [0, 4, 7]].transpose(1, 2))
        assert torch.equal(pictures.reconstructed[:, 2], task.network(clip)[:, :, 7])
    else:
        assert torch.equal(pictures.true[:, 2, :, 8:24, 8:24], clip[:, :, 7, 8:24, 8:24])
        assert not pictures.true[:, 2, :, :8].any()
        assert torch.equal(pictures.reconstructed[:, 1], task.network(clip).reconstruction.first_background)


def test_the_newest_terms_are_kept_without_gradient(task, own):
    loss = task.training_step(own, 0)
    assert torch.equal(task.last_losses["loss"], loss.detach())
    assert not any(value.requires_grad or value.dim() for value in task.last_losses.values())
    if isinstance(task, Disentangle):
        assert {"first_foreground", "first_background", "last_foreground", "features"} < set(task.last_losses)


@pytest.mark.parametrize("split", ["val", "test"])
def test_what_only_fills_up_is_not_measured(task, batch, split, monkeypatch):
    measured: list[list[int]] = []
    monkeypatch.setattr(task, "evaluate", lambda batch, of: measured.append([of, *batch.sample.tolist()]))
    step = task.validation_step if split == "val" else task.test_step
    for counted in ([True, True, False, False], [False] * 4):
        step(batch._replace(counted=torch.tensor(counted)), 0)
    assert measured == [[split, 0, 1]]
    assert task.sample_counter.compute().tolist() == [1, 1]


class Numbered(torch.utils.data.Dataset[ClipBatch]):
    """Samples that are nothing but counted."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> ClipBatch:
        number = torch.tensor(self.numbers[place])
        return ClipBatch(number, number, number, number, number, torch.tensor(True))


class Data(pl.LightningDataModule):
    def __init__(self, numbers: list[int]) -> None:
        super().__init__()
        self.numbers = numbers

    def evaluated(self, split: str, batches: int | None) -> int:
        return 5 if batches is None else min(5, batches * 2)

    def val_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(Numbered(self.numbers), batch_size=2)

    test_dataloader = val_dataloader


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize(
    ("numbers", "limit", "right"),
    [
        ([0, 1, 2, 3, 4], 1.0, True),
        ([4, 2, 0, 1, 3], 1.0, True),
        ([0, 1, 2, 3, 4], 2, True),
        ([0, 1, 2, 3, 3], 1.0, False),
        ([0, 1, 2, 3], 1.0, False),
        ([0, 1, 2, 3, 4, 0], 1.0, False),
        ([0, 1, 2, 2], 2, False),
        ([0, 1, 2], 2, False),
    ],
)
def test_a_clip_that_is_missing_or_measured_twice_ends_the_run(monkeypatch, split, numbers, limit, right):
    task = Autoencode(C3DEncoder(4, 8, 32), ADAM)
    monkeypatch.setattr(task, "evaluate", lambda batch, of: None)
    options: dict[str, Any] = {f"limit_{split}_batches": limit}
    trainer = trainer_of(1, **options)
    run = trainer.validate if split == "val" else trainer.test
    with nullcontext() if right else pytest.raises(RuntimeError, match=f"{split}: .* clips were measured"):
        run(task, Data(numbers), verbose=False)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10, 20, 100])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_one_cycle_goes_through_any_number_of_steps(steps, share):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = one_cycle(optimizer, steps, share)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(steps - 1):
        optimizer.step()
        schedule.step()
        rates.append(optimizer.param_groups[0]["lr"])
    assert all(0 <= rate <= 0.1 for rate in rates)
    assert steps < 5 or rates[-1] < 0.01 < max(rates)


@pytest.mark.parametrize("cached", [True, False])
def test_in_mixed_precision_every_weight_has_a_gradient(task, own, cached):
    """A pass without gradient, as that of the feature target, must not leave its bf16 weights to the one with it."""
    with torch.autocast("cpu", torch.bfloat16, cache_enabled=cached):
        loss = loss_of(task, own)
    assert loss.dtype is torch.float32
    loss.backward()
    without = [name for name, weight in task.named_parameters() if weight.requires_grad and weight.grad is None]
    assert without == []


# --- deterministic algorithms

# ATen's names of what raises on a GPU by torch's documentation of `use_deterministic_algorithms`, of one version or
# another; `nll_loss2d` is the loss of pictures.
REFUSED = {
    *("max_pool3d_with_indices_backward", "avg_pool3d_backward", "cumsum", "histc", "put_", "kthvalue", "median"),
    *("_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "adaptive_max_pool2d_backward"),
    *("fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "max_unpool2d", "max_unpool3d"),
    *(f"{kind}_pad{axes}d_backward" for kind in ("reflection", "replication") for axes in (1, 2, 3)),
    *(f"upsample_{kind}_backward" for kind in ("linear1d", "bilinear2d", "bicubic2d", "trilinear3d")),
    *("grid_sampler_2d_backward", "grid_sampler_3d_backward", "nll_loss2d_forward", "nll_loss2d_backward"),
}


class Operators(TorchDispatchMode):
    """Names of what is called inside."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def test_a_deterministic_step_takes_nothing_that_a_gpu_refuses(task, own, deterministic):
    """On torch's device without values, which is no processor as a GPU is none; then measuring, on the processor."""
    with Operators() as called:
        task.augmentation = Augmentation((0.2, 1.0), jitter=0.8, brightness=0.4, hue=0.1, grey=0.2, blur=0.5)
        loss_of(task.to("meta"), own.moved(torch.device("meta"))).backward()
    assert "convolution_backward" in called.names or task.network.frozen
    assert "grid_sampler_2d" in called.names
    assert called.names & REFUSED == set()


def test_a_deterministic_evaluation_takes_nothing_that_a_gpu_refuses(task, own, deterministic, monkeypatch):
    monkeypatch.setattr(task, "log", lambda *_, **__: None)  # there is no trainer
    with torch.no_grad(), Operators() as called:
        task.eval().evaluate(own, "test")
        for metric in task.modules():
            if isinstance(metric, Metric) and metric.update_called:
                metric.compute()
    assert "convolution" in called.names
    assert called.names & REFUSED == set()


@pytest.mark.parametrize("options", [{"adversarial": 0.05}, {"target": "random"}])
def test_beyond_the_paper_as_well(batch, deterministic, options):
    task = Disentangle(C3DEncoder(4, 8, 32), ADAM, **options).to("meta")
    with Operators() as called:
        terms = task.loss_terms(batch.moved(torch.device("meta")))
        task.total_loss(terms).backward()
    assert called.names & REFUSED == set()
