"""From a composed config to the parts of a run: data, task, trainer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor, nn

from fbm.config.compose import resolved
from fbm.config.instantiate import build
from fbm.config.trainer_settings import batches_of, check_validates, steps_of
from fbm.data.datamodule import ClipDataModule
from fbm.models.checkpointing import checkpoint_activations
from fbm.models.contract import checked_encoder
from fbm.runs.checkpoints import Loaded, initialise
from fbm.runs.fingerprints import fingerprints
from fbm.tasks.task import Task
from fbm.training.trainer import build_trainer
from fbm.utils.errors import UserError

FUSED = tuple(f"torch.optim.{name}" for name in ("Adam", "AdamW", "SGD"))  # those that have one kernel for a GPU


@dataclass(frozen=True)
class Components:
    """What a run is made of; `content` is the resolved config, `prints` are the fingerprints for the summary."""

    data: ClipDataModule
    task: Task
    trainer: pl.Trainer
    loaded: Loaded
    content: dict[str, Any]
    prints: dict[str, str]


def resolve_device_defaults(config: DictConfig) -> None:
    """Where nothing was chosen, the fastest that trains well here. What is chosen stands in the config.

    On a GPU: bf16 where the hardware has it (emulated it is tens of times slower), products and convolutions of float32
    in TF32, the convolutions' algorithms by trial where results need not repeat bit for bit, and an optimiser of one
    kernel where it has such. On a processor none of it gains anything.

    Raises:
        UserError: there is no such device, or two values cannot be had together.
    """
    if config.compile and config.activation_checkpointing:
        raise UserError(
            "compile=true and activation_checkpointing=true cannot be had together: what is compiled chooses itself "
            "what it makes anew; leave out one"
        )
    trainer = config.trainer
    if trainer.accelerator in ("gpu", "cuda") and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise UserError(
            f"trainer.accelerator={trainer.accelerator}: torch finds no GPU here; trainer=auto takes the fastest "
            "device that there is, trainer=cpu the processor"
        )
    gpu = trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    if trainer.get("sync_batchnorm") and not gpu:
        raise UserError(
            "trainer.sync_batchnorm=true needs a GPU, torch has no such batch norm for the processor: leave it out, or "
            "take encoder.norm=group encoder.mapping_norm=group, with which ranks learn the same without it"
        )
    if trainer.precision is None:
        fast = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
        trainer.precision = "bf16-mixed" if fast else "32-true"
    if "benchmark" in trainer and trainer.benchmark is None:
        trainer.benchmark = gpu and not trainer.get("deterministic")
    _settle_fused(config, gpu)
    # The processor is left as it is.
    config.float32_matmul = (config.float32_matmul or "high") if gpu else None
    if gpu:
        torch.set_float32_matmul_precision(config.float32_matmul)
        # Convolutions have a switch of their own, which is on by default.
        torch.backends.cudnn.allow_tf32 = config.float32_matmul != "highest"


def _settle_fused(config: DictConfig, gpu: bool) -> None:
    optim, trainer = config.optim, config.trainer
    # In mixed precision Lightning refuses to clip gradients before an optimiser that may scale them itself.
    clipped = bool(trainer.get("gradient_clip_val")) and str(trainer.precision).endswith("mixed")
    if clipped and optim.get("fused"):
        raise UserError(
            f"optim.fused=true cannot be had with trainer.gradient_clip_val in trainer.precision={trainer.precision}: "
            "leave it out"
        )
    others = any(optim.get(key) for key in ("foreach", "differentiable"))  # torch refuses both
    if gpu and not clipped and not others and optim.get("fused") is None and optim.get("_target_") in FUSED:
        with open_dict(optim):
            optim.fused = True


def build_components(
    config: DictConfig, identity: str, again: bool = False, source: dict[str, str] | None = None
) -> Components:
    """Build everything, and see that it fits together.

    Args:
        identity: the run's own fingerprint.
        again: leave out the loggers that cannot go on: they would begin their files anew.
        source: of another run's checkpoint that this one goes on from, see `fingerprints`.

    Raises:
        UserError: a part refuses its values, or two parts do not fit.
    """
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data: ClipDataModule = build(config.data.module, seed=config.seed)
    if config.job_type == "classify":
        data.leave_out_unlabelled()
        if kept := [name for name in data.empty_classes if name in data.classes]:
            print(f"no clip has the class {', '.join(kept)}: data.empty_classes=leave_out takes it from the labels")
    batches = batches_of(content_of(config), data.steps_per_epoch)
    if not data.samples["val"] or config.trainer.limit_val_batches == 0:
        _follow_training(config, bool(data.samples["val"]))
    else:
        check_validates(content_of(config), batches)
    encoder = checked_encoder(partial(build, config.encoder), config.data.clip_frames, config.data.size)
    loaded = initialise(encoder, config.init)
    offered = {
        "encoder": encoder,
        "classes": data.classes,
        "optimizer": build(config.optim),
        "schedule": _schedule(config, batches),
        "seed": config.seed,
    }
    task: Task = build(config.task, **offered)
    _check_fits(config, data, task)
    data.read_masks(task.masked)
    content = resolved(config)
    made_of = {"data": data.store.manifest.fingerprint}
    prints = {"run": identity, **fingerprints(config, loaded.fingerprint, source), **made_of}
    OmegaConf.set_readonly(config, True)  # what runs is what stands in the content
    carried = {"config": content, "task": config.task_name, "fingerprints": prints}
    trainer = build_trainer(config, carried, again)
    if config.activation_checkpointing:
        checkpoint_activations(task.network)
    if config.compile:
        compile_networks(task.network, trainer.strategy.root_device)
    return Components(data, task, trainer, loaded, content, prints)


def compile_networks(network: nn.Module, device: torch.device) -> None:
    """Have the parts of a network compiled when they are first called in training, in place: its state keeps its names.

    The parts and not the whole: tasks call some of them by themselves. Where the network evaluates (validation, test,
    pictures, probes) nothing is compiled: batches of other sizes, without gradient or in another precision, would each
    cost a graph more, until torch gives up compiling the training steps as well.

    Raises:
        UserError: nothing can be compiled for this device here.
    """
    try:
        torch.compile(_tried)(torch.zeros(1, device=device))
    except RuntimeError as error:
        cause = getattr(error, "inner_exception", error)  # torch wraps a back end's own in several lines
        reason = next(iter(str(cause).splitlines()), type(cause).__name__)
        raise UserError(
            f"compile=true: nothing can be compiled for {device} here ({reason}): install a C++ compiler (or name it "
            "in CXX; for a GPU, triton), or leave it out"
        ) from error
    for part in network.children():
        part.forward = _while_training(network, part.forward)


def _while_training(network: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    compiled = torch.compile(forward)
    return lambda *given: (compiled if network.training else forward)(*given)


def _tried(rows: Tensor) -> Tensor:
    return rows * 2


def content_of(config: DictConfig) -> dict[str, Any]:
    """The trainer's settings as plain values."""
    return resolved(config.trainer)


def _follow_training(config: DictConfig, clips: bool) -> None:
    """Where nothing is validated, what is best is judged by the training loss, after every epoch."""
    why = "trainer.limit_val_batches=0" if clips else "no validation clips"
    print(f"{why}: the best checkpoint and early stopping follow train/loss")
    config.monitor = {"metric": "train/loss", "mode": "min"}
    config.trainer.check_val_every_n_epoch = 1
    if "val_check_interval" in config.trainer:
        config.trainer.val_check_interval = None


def _schedule(config: DictConfig, batches: int) -> Any:
    """The schedule's maker, or None; one that must know all its steps is told them."""
    if config.schedule is None:
        return None
    steps = steps_of(content_of(config), batches)
    made = build(config.schedule, total_steps=max(1, steps or 1))
    if steps is None and "total_steps" in getattr(made, "keywords", {}):
        raise UserError(
            f"the schedule {config.schedule._target_} must know how many steps there are: set trainer.max_epochs or "
            "trainer.max_steps, or take schedule=constant"
        )
    return made


def _check_fits(config: DictConfig, data: ClipDataModule, task: Task) -> None:
    if task.masked != () and not data.masked:
        raise UserError(
            f"task={config.task_name} needs masks, but no training video in {data.store.root} has any "
            f"(prepared with masks={data.store.manifest.masks}): prepare with annotations (data.annotations=PATH) "
            "or with masks=unsupervised"
        )
    if config.test and not data.samples["test"]:
        raise UserError(f"test=true, but {data.store.root} holds no test clips (data.split={config.data.split})")
    if config.test:
        _check_tests_something(config.trainer.limit_test_batches, data)
    try:
        task.configure_optimizers()  # now, not when the training has begun
    except (ValueError, TypeError) as error:
        raise UserError(f"the optimiser cannot be made: {error} (see optim and schedule)") from error


def _check_tests_something(limit: int | float | None, data: ClipDataModule) -> None:
    """Lightning would refuse such a limit too, or test nothing, but after the training."""
    clips, batch = data.samples["test"], data.batch_size
    batches = math.ceil(clips / batch)
    if limit is not None and int(limit if isinstance(limit, int) else limit * batches) == 0:
        raise UserError(
            f"trainer.limit_test_batches={limit} tests none of the {clips} test clips, which are {batches} batches of "
            f"{batch}: set it higher, or test=false"
        )
