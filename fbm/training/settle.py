"""Settle what a composed config leaves open: what depends on the device, and on the data."""

import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from fbm.config.compose import resolved
from fbm.config.trainer_settings import batches_of, check_validates
from fbm.data.datamodule import ClipDataModule
from fbm.training.bf16 import check_bf16
from fbm.utils.errors import UserError

FUSED = tuple(f"torch.optim.{name}" for name in ("Adam", "AdamW", "SGD"))  # those that have one kernel for a GPU


def settle(config: DictConfig, data: ClipDataModule) -> None:
    """Make the config what will run, and read-only: device defaults, and what to monitor without validation clips.

    Raises:
        UserError: there is no such device, it computes in this precision wrongly, two values cannot be combined, or
            nothing would be validated.
    """
    resolve_device_defaults(config)
    if not data.samples["val"] or config.trainer.limit_val_batches == 0:
        _monitor_training(config, bool(data.samples["val"]))
    else:
        trainer = resolved(config.trainer)
        check_validates(trainer, batches_of(trainer, data.steps_per_epoch))
    OmegaConf.set_readonly(config, True)


def resolve_device_defaults(config: DictConfig) -> None:
    """Choose what the config leaves open by the device: the fastest that trains well. The choice is written to it.

    On a GPU: bf16 where the hardware has it (emulated it is tens of times slower), products and convolutions of float32
    in TF32, the convolutions' algorithms by benchmark where results need not repeat bit for bit, and a fused optimiser
    where there is one. On a CPU none of it helps.

    Raises:
        UserError: there is no such device, it computes in this precision wrongly, or two values cannot be combined.
    """
    if config.compile and config.activation_checkpointing:
        raise UserError(
            "compile=true and activation_checkpointing=true cannot be combined: a compiled network chooses itself "
            "what it recomputes; leave out one"
        )
    trainer = config.trainer
    any_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    if trainer.accelerator in ("gpu", "cuda") and not any_gpu:
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
    on_cpu = trainer.accelerator == "cpu" or (trainer.accelerator == "auto" and not any_gpu)
    if on_cpu and str(trainer.precision) not in ("32-true", "32"):  # on a CPU Lightning takes bf16 for 16-mixed, too
        check_bf16(trainer.precision)
    # The CPU keeps torch's defaults.
    config.float32_matmul = (config.float32_matmul or "high") if gpu else None
    if gpu:
        torch.set_float32_matmul_precision(config.float32_matmul)
        # Convolutions have their own switch, which is on by default.
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


def _monitor_training(config: DictConfig, clips: bool) -> None:
    """Without validation, the best checkpoint is chosen by the training loss, after every epoch."""
    why = "trainer.limit_val_batches=0" if clips else "no validation clips"
    print(f"{why}: the best checkpoint and early stopping follow train/loss")
    config.monitor = {"metric": "train/loss", "mode": "min"}
    config.trainer.check_val_every_n_epoch = 1
    if "val_check_interval" in config.trainer:
        config.trainer.val_check_interval = None
