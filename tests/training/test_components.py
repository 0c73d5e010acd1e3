"""What is settled by device, and what makes a run faster or smaller without making it another one."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch._dynamo.utils import counters

from fbm.config.compose import compose
from fbm.config.instantiate import check_run
from fbm.models import group_norm
from fbm.models.compilation import compile_networks
from fbm.models.encoder import Encoder
from fbm.models.layers import conv3d_norm, maxpool_relu, to_input
from fbm.tasks import Classify
from fbm.tasks.task import Task
from fbm.training.components import build_components
from fbm.training.settle import resolve_device_defaults
from fbm.utils.errors import UserError
from tests.tasks.training import CLIP, data_of
from tests.tiny import CLASSES, SIZE, fbm, settings

# --- by device


@pytest.fixture
def products(monkeypatch) -> list[str]:
    """A machine with a GPU that knows bf16; what was set for products of float32."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    told: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", told.append)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", torch.backends.cudnn.allow_tf32)  # put back afterwards
    return told


def settled(*overrides: str) -> dict[str, Any]:
    config = compose(list(overrides))
    resolve_device_defaults(config)
    return {
        **{"precision": config.trainer.precision, "benchmark": config.trainer.benchmark},
        **{"fused": config.optim.get("fused"), "products": config.float32_matmul},
    }


def test_on_a_processor_nothing_is_changed():
    before = torch.get_float32_matmul_precision()
    plain = {"precision": "32-true", "benchmark": False, "fused": None, "products": None}
    assert settled("trainer=cpu") == settled("trainer=cpu", "float32_matmul=medium") == plain
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("trainer", ["auto", "gpu", "ddp", "multinode"])
def test_on_a_gpu_what_is_fastest(products, trainer):
    fastest = {"precision": "bf16-mixed", "benchmark": True, "fused": True, "products": "high"}
    assert settled(f"trainer={trainer}") == fastest
    assert products == ["high"]


@pytest.mark.parametrize("has_it", [True, False])
@pytest.mark.parametrize(
    "chosen",
    [
        *("trainer=auto", "trainer=gpu", "trainer=ddp", "trainer=multinode"),
        *(f"experiment=paper/{task}" for task in ("disentangle", "autoencode", "classify")),
    ],
)
def test_bf16_only_where_the_hardware_has_it(products, monkeypatch, chosen, has_it):
    """Emulated it is tens of times slower."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_it or including_emulation)
    assert settled(chosen)["precision"] == ("bf16-mixed" if has_it else "32-true")


@pytest.mark.parametrize(("chosen", "tf32"), [("null", True), ("high", True), ("medium", True), ("highest", False)])
def test_highest_is_without_tf32_in_convolutions_too(products, chosen, tf32):
    """And the next run of the same process has what it asks for."""
    for before in (True, False):
        torch.backends.cudnn.allow_tf32 = before
        settled(f"float32_matmul={chosen}")
        assert torch.backends.cudnn.allow_tf32 is tf32


def test_on_a_processor_convolutions_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    settled("trainer=cpu", "float32_matmul=highest")
    assert torch.backends.cudnn.allow_tf32


def test_beside_a_gpu_the_processor_is_one(products):
    assert settled("trainer=cpu") == {"precision": "32-true", "benchmark": False, "fused": None, "products": None}
    assert products == []


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        *[("trainer.precision=32-true", "precision", "32-true"), ("float32_matmul=highest", "products", "highest")],
        *[("trainer.benchmark=false", "benchmark", False), ("+optim.fused=false", "fused", False)],
        *[("trainer.deterministic=true", "benchmark", False), ("trainer.deterministic=warn", "benchmark", False)],
        ("+optim.foreach=true", "fused", None),  # torch refuses both
        ("trainer.gradient_clip_val=1.0", "fused", None),  # Lightning refuses both in mixed precision
        ("optim._target_=torch.optim.SGD", "fused", True),
        ("optim._target_=torch.optim.RMSprop", "fused", None),  # it takes no such thing
    ],
)
def test_what_was_chosen_or_cannot_be_stays(products, override, name, value):
    assert settled(override)[name] == value


def test_without_mixed_precision_clipped_gradients_may_be_fused(products):
    assert settled("trainer.gradient_clip_val=1.0", "trainer.precision=32-true")["fused"] is True


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["compile=2"], "compile=2: it should be"),
        (["activation_checkpointing=often"], "activation_checkpointing='often': it should be"),
        (["float32_matmul=tf32"], "float32_matmul='tf32': it should be"),
        (["compile=true", "activation_checkpointing=true"], "cannot be combined"),
        (
            ["+optim.fused=true", "trainer.gradient_clip_val=1", "trainer.precision=bf16-mixed"],
            r"^optim\.fused=true cannot",
        ),
    ],
)
def test_what_cannot_be_is_refused(overrides, said):
    with pytest.raises(UserError, match=said):
        resolve_device_defaults(OmegaConf.create(check_run(compose(overrides))))


@pytest.mark.parametrize("overrides", [["trainer=gpu"], ["trainer=cpu", "trainer.accelerator=cuda"]])
def test_a_gpu_that_is_not_there(overrides, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(
        UserError, match=r"^trainer\.accelerator=(gpu|cuda): torch finds no GPU here; trainer=auto takes"
    ):
        resolve_device_defaults(compose(overrides))


@pytest.mark.parametrize("experiment", ["demo/pretrain", "demo/classify", "paper/disentangle"])
def test_a_debug_run_is_short_whatever_the_experiment(experiment):
    given = ["trainer=debug", f"experiment={experiment}"]
    trainer = compose(given).trainer
    assert (trainer.max_epochs, trainer.limit_train_batches, trainer.check_val_every_n_epoch) == (1, 2, 1)
    assert trainer.accelerator == "cpu"
    assert compose([*given, "trainer.max_epochs=3"]).trainer.max_epochs == 3  # unless it is typed
    assert compose(given[1:]).trainer.limit_train_batches is None


# --- whole runs


@pytest.fixture
def train(store, tmp_path, monkeypatch) -> Callable[..., int]:
    """Trains in an empty folder; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: fbm("train", *settings(store, "encoder.width=2", *overrides))


def left(name: str) -> tuple[dict[str, Any], dict[str, torch.Tensor], dict[str, Any]]:
    """Of a run: its summary, the last weights and the config."""
    run = Path("outputs/demo") / name
    weights = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return json.loads((run / "summary.json").read_text()), weights, yaml.safe_load((run / "config.yaml").read_text())


def same(one: str, other: str) -> None:
    """Losses, weights by name, and what the run counts as."""
    (summary, weights, _), (expected, others, _) = left(one), left(other)
    assert weights.keys() == others.keys()
    for key, value in others.items():
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-4)
    assert summary["fingerprints"]["config"] == expected["fingerprints"]["config"]
    assert summary["metrics"].keys() == expected["metrics"].keys()
    for name in ("train/loss", "val/loss"):
        assert summary["metrics"][name] == pytest.approx(expected["metrics"][name], rel=1e-4)


def test_what_is_settled_stands_in_the_runs_config(train):
    assert train("task=classify", "name=run") == 0
    config = left("run")[2]
    assert ("fused" in config["optim"], config["trainer"]["benchmark"]) == (False, False)
    assert (config["trainer"]["precision"], config["float32_matmul"]) == ("32-true", None)


@pytest.fixture
def quickly_compiled(monkeypatch) -> None:
    """Graphs are captured as always, and run as they are: what is compiled of them takes a minute."""
    torch.compiler.reset()
    counters.clear()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))


def test_a_compiled_run_is_the_same_and_goes_on_from_one_that_is_not(train, quickly_compiled, monkeypatch):
    """Every part in one piece: nothing breaks its graph."""
    # Compiled, a group norm is torch's; a bias in front of one has no gradient but rounding's, which Adam scales up.
    monkeypatch.setattr(group_norm, "FEW_CHANNELS", 0)
    assert train("task=disentangle", "name=plain") == 0
    assert not counters["stats"]
    assert train("task=disentangle", "name=compiled", "compile=true") == 0
    same("compiled", "plain")
    assert counters["stats"]["unique_graphs"] > 1 + 5  # one tried, and the network's parts
    assert not counters["graph_break"]
    further = ("task=disentangle", "resume=outputs/demo/plain", "trainer.max_epochs=2")
    assert train("name=further", *further) == 0
    assert train("name=compiled_further", "compile=true", *further) == 0
    same("compiled_further", "further")


@pytest.mark.parametrize("task", ["disentangle", "classify", "classify task.encoder_gradient=0"])
def test_compiled_are_training_steps_alone(train, quickly_compiled, task):
    """A smaller last batch of validation, pictures, probes and a test add no graph to those of the first steps."""
    graphs = []
    alone = ["callbacks.gallery=null", "callbacks.probes=null", "trainer.limit_val_batches=0"]
    alone += ["monitor.metric=train/loss", "monitor.mode=min"]
    every_epoch = ["callbacks.gallery.every=1", "callbacks.probes.every=1", "trainer.max_epochs=2", "test=true"]
    for name, more in (("alone", alone), ("all", every_epoch)):
        torch.compiler.reset()
        counters.clear()
        assert train(*f"task={task}".split(), "compile=true", "data.batch_size=4", f"name={name}", *more) == 0
        graphs.append(counters["stats"]["unique_graphs"])
    assert graphs[0] == graphs[1] > 1
    assert not counters["graph_break"]


@pytest.mark.parametrize("task", ["disentangle", "classify"])
def test_a_run_that_keeps_fewer_activations_is_the_same(train, task):
    assert train(f"task={task}", "name=plain") == 0
    assert train(f"task={task}", "name=lean", "activation_checkpointing=true") == 0
    same("lean", "plain")


def test_without_a_compiler_one_line():
    import torch._inductor.config as inductor

    torch.compiler.reset()
    said = r"^compile=true: nothing can be compiled for cpu here \(.*nowhere.*\): install a C\+\+ compiler"
    with (
        inductor.patch({"cpp.cxx": (None, "nowhere"), "force_disable_caches": True}),
        pytest.raises(UserError, match=said),
    ):
        compile_networks(nn.Sequential(), torch.device("cpu"))


class OneLayer(Encoder):
    """Convolution, norm and pooling as in C3D, but once: compiling its eight layers takes half a minute."""

    def __init__(self) -> None:
        super().__init__()
        self.frames, self.size, self.feature_shape = CLIP, SIZE, (8, 2, 2)
        self.layers = nn.Sequential(conv3d_norm(3, 8, "group"), maxpool_relu((CLIP, SIZE // 2, SIZE // 2)))

    def forward(self, clip: Tensor) -> Tensor:
        features: Tensor = self.layers(clip)
        return features.squeeze(2)


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="there is no C++ compiler to compile by")
def test_what_is_really_compiled_learns_the_same(store):
    torch.compiler.reset()

    def network() -> Task:
        torch.manual_seed(0)
        return Classify(OneLayer(), partial(torch.optim.SGD, lr=1e-2), CLASSES)

    plain, compiled = network(), network()
    keys = list(compiled.state_dict())
    compile_networks(compiled.network, torch.device("cpu"))
    batch = next(iter(data_of(store).train_dataloader()))
    losses = []
    for task in (plain, compiled):
        optimizer = task.configure_optimizers()
        for _ in range(3):
            loss = nn.functional.cross_entropy(task.network(to_input(batch.frames)), batch.label)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss))
    assert losses[3:] == pytest.approx(losses[:3], rel=1e-4)
    assert list(compiled.state_dict()) == keys
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(compiled.state_dict()[key], value, rtol=1e-3, atol=1e-4)


# --- the steps that a schedule is told


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [  # an epoch has two whole batches of eight
        ([], 6),
        (["trainer.accumulate_grad_batches=2"], 3),
        (["data.batch_size=6", "trainer.accumulate_grad_batches=2"], 6),  # of three: a step of two and one of the rest
        (["trainer.limit_train_batches=1"], 3),
        (["trainer.limit_train_batches=0.5"], 3),
    ],
)
def test_a_schedule_ends_with_the_training(store, overrides, steps):
    small = [each for each in settings(store) if "max_epochs" not in each]
    config = compose([*small, "task=autoencode", "schedule=one_cycle", "trainer.max_epochs=3", *overrides])
    parts = build_components(config, "identity")
    parts.trainer.limit_val_batches = 0
    parts.trainer.callbacks.clear()  # type: ignore[attr-defined]
    parts.trainer.fit(parts.task, parts.data)
    schedule: Any = parts.task.lr_schedulers()
    assert schedule.total_steps == parts.trainer.global_step == steps
