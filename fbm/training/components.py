"""Build the components of a run from its config: data, task, trainer."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from fbm.config.compose import resolved
from fbm.config.instantiate import build
from fbm.config.trainer_settings import batches_of, steps_of
from fbm.data.datamodule import ClipDataModule
from fbm.data.reading_cost import reading_cost
from fbm.models.checkpointing import checkpoint_activations
from fbm.models.compilation import compile_networks
from fbm.models.contract import checked_encoder
from fbm.models.encoder import Encoder, adapt
from fbm.runs.checkpoints import Loaded, initialise
from fbm.runs.fingerprints import result_fingerprints
from fbm.tasks import Classify
from fbm.tasks.optimizers import scaled_rates
from fbm.tasks.task import Task
from fbm.training.settle import settle
from fbm.training.trainer import build_trainer
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class Components:
    """What a run consists of; with its resolved config and its fingerprints."""

    data: ClipDataModule
    task: Task
    trainer: pl.Trainer
    loaded: Loaded
    resolved_config: dict[str, Any]
    fingerprints: dict[str, str]


def build_components(
    config: DictConfig, identity: str, again: bool = False, source: dict[str, str] | None = None
) -> Components:
    """Build everything, and check that it fits together. The config is settled on the way, and read-only then.

    Args:
        identity: the run's own fingerprint.
        again: leave out the loggers that cannot continue: they would start their files over.
        source: checkpoint, position and fingerprints of the other run whose training this one continues.

    Raises:
        UserError: a part refuses its values, or two parts do not fit.
    """
    pl.seed_everything(config.seed, workers=True, verbose=False)
    data = build_data(config)
    settle(config, data)
    content = resolved(config)
    encoder = build_encoder(config)
    loaded = initialise(encoder, config.init)
    task = build_task(config, encoder, data)
    fingerprints = {
        "run": identity,
        **result_fingerprints(config, loaded.fingerprint, source),
        "data": data.store.manifest.fingerprint,
    }
    trainer = build_trainer(config, {"config": content, "task": config.task_name, "fingerprints": fingerprints}, again)
    if config.activation_checkpointing:
        checkpoint_activations(task.network)
    if config.compile:
        compile_networks(task.network, trainer.strategy.root_device)
    return Components(data, task, trainer, loaded, content, fingerprints)


def build_encoder(config: DictConfig) -> Encoder:
    """The encoder, checked against the data's clips, and adapted to them.

    Raises:
        UserError: it does not fit the clips.
    """
    data, augment = config.data, config.augment
    encoder = checked_encoder(partial(build, config.encoder), data.clip_frames, data.size, augment is not None)
    if augment is not None and augment.scale is None and encoder.size == data.size:
        raise UserError(
            f"augment crops encoder.size={encoder.size} pixels without resizing, which is all of data.size: "
            "set encoder.size below it, or augment=field"
        )
    adapt(encoder, data.size, config.input, data.frame_interval)
    return encoder


def build_data(config: DictConfig) -> ClipDataModule:
    """The store's clips as the config wants them; a classification takes those with a label."""
    data: ClipDataModule = build(config.data.module, seed=config.seed)
    if config.job_type == "classify":
        data.leave_out_unlabelled()
        if empty := [name for name in data.empty_classes if name in data.classes]:
            print(
                f"no clip has the class {', '.join(empty)}: data.empty_classes=leave_out removes it from the label set"
            )
    if cost := reading_cost(data.clips["train"]):
        print(cost)
    return data


def build_task(config: DictConfig, encoder: Encoder, data: ClipDataModule) -> Task:
    """The task around an encoder, with optimiser and schedule; checked against the data.

    Raises:
        UserError: the task needs masks or labels that the data lacks, or the optimiser refuses its values.
    """
    trainer = resolved(config.trainer)
    steps = steps_of(trainer, batches_of(trainer, data.steps_per_epoch))
    task: Task = build(  # passes only those that the signature names
        config.task,
        encoder=encoder,
        classes=data.classes,
        optimizer=_optimizer(config),
        schedule=_schedule(config.schedule, steps),
        seed=config.seed,
    )
    if config.augment is not None:
        task.augmentation = build(config.augment, seed=config.seed)
    _check_fits(config, data, task)
    data.select_mask_frames(task.mask_frames)
    data.select_windows(task.windows)
    return task


def _optimizer(config: DictConfig) -> Any:
    """The optimiser's factory, with rates for the batch of a step over all ranks where they follow it."""
    made = build(config.optim)
    if config.base_batch is None:
        return made
    batch = config.data.batch_size * config.trainer.get("accumulate_grad_batches", 1)
    return partial(scaled_rates, made, batch / config.base_batch)


def _schedule(node: DictConfig | None, steps: int | None) -> Any:
    """The schedule's factory, or None; with the total number of steps where it takes that."""
    if node is None:
        return None
    made = build(node, total_steps=max(1, steps or 1))  # 1 stands for unknown: refused below if it is used
    if steps is None and "total_steps" in getattr(made, "keywords", {}):
        raise UserError(
            f"the schedule {node._target_} must know how many steps there are: set trainer.max_epochs or "
            "trainer.max_steps, or take schedule=constant"
        )
    return made


def _check_fits(config: DictConfig, data: ClipDataModule, task: Task) -> None:
    if task.mask_frames != () and not data.has_masks:
        raise UserError(
            f"task={config.task_name} needs masks, but no training video in {data.store.root} has any "
            f"(prepared with masks={data.store.manifest.masks}): prepare with annotations (data.annotations=PATH) "
            "or with masks=unsupervised"
        )
    if config.test and not data.samples["test"]:
        raise UserError(f"test=true, but {data.store.root} holds no test clips (data.split={config.data.get('split')})")
    if isinstance(task, Classify) and task.crops > 1 and config.data.size <= task.encoder.size:
        raise UserError(
            f"test_views.crops={task.crops} needs frames larger than the encoder's: data.size={config.data.size}, "
            f"encoder.size={task.encoder.size}"
        )
    if config.test:
        _check_tests_something(config.trainer.limit_test_batches, data)
    try:
        task.configure_optimizers()  # now, before the training starts
    except (ValueError, TypeError) as error:
        raise UserError(f"the optimiser cannot be made: {error} (see optim and schedule)") from error


def _check_tests_something(limit: int | float | None, data: ClipDataModule) -> None:
    """Lightning would refuse such a limit as well, or test nothing, but after the training."""
    clips, batch = data.samples["test"], data.batch_size
    batches = math.ceil(clips / batch)
    if limit is not None and int(limit if isinstance(limit, int) else limit * batches) == 0:
        raise UserError(
            f"trainer.limit_test_batches={limit} tests none of the {clips} test clips, which are {batches} batches of "
            f"{batch}: set it higher, or test=false"
        )
