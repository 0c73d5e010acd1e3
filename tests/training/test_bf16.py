"""A run in bf16 on a processor whose gradients in it are wrong is refused; which are wrong is made up, but for one."""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from fbm.config.compose import compose
from fbm.training import bf16
from fbm.training.settle import resolve_device_defaults
from fbm.utils.errors import UserError

true_gradient = bf16._weight_gradient
FAULTS = {
    "not a number": lambda gradient: gradient * torch.nan,
    "one infinite": lambda gradient: torch.cat([gradient[1:], torch.full((1,), torch.inf)]),
    "huge": lambda gradient: torch.cat([gradient[1:], torch.full((1,), 1e36)]),
    "zero": torch.zeros_like,
    "of the opposite sign": torch.neg,
    "halves mixed up": lambda gradient: gradient.roll(len(gradient) // 2),
}
REFUSED = r"^trainer\.precision={}: .* trainer\.precision=32-true, or run with ONEDNN_MAX_CPU_ISA=AVX2 in .*$"


def gradients_with(monkeypatch, fault) -> None:
    """What bf16 rounds, with a fault where convolutions are over two frames."""

    def gradient(x: Tensor, weight: Tensor, upstream: Tensor) -> Tensor:
        rounded = true_gradient(x.float(), weight.detach().float(), upstream.float()).to(x.dtype).float()
        return fault(rounded) if x.dtype is torch.bfloat16 and x.shape[2] == 2 else rounded

    monkeypatch.setattr(bf16, "_weight_gradient", gradient)


def settle(*overrides: str) -> str:
    config = compose(list(overrides))
    resolve_device_defaults(config)
    return str(config.trainer.precision)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_found(monkeypatch, fault):
    gradients_with(monkeypatch, FAULTS[fault])
    with pytest.raises(UserError, match=REFUSED.format("bf16-mixed")):
        bf16.check_bf16("bf16-mixed")


def test_what_is_rounded_is_right(monkeypatch):
    gradients_with(monkeypatch, torch.clone)
    for precision in ("bf16-mixed", "bf16", "16-mixed", "16"):
        assert settle("trainer=cpu", f"trainer.precision={precision}") == precision


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16", "16-mixed", "16"])
@pytest.mark.parametrize("trainer", ["cpu", "auto"])
def test_a_run_on_the_processor_is_refused(monkeypatch, trainer, precision):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    gradients_with(monkeypatch, torch.zeros_like)
    with pytest.raises(UserError, match=REFUSED.format(precision)):
        settle(f"trainer={trainer}", f"trainer.precision={precision}")


def test_runs_in_float32_and_on_a_gpu_are_not(monkeypatch):
    gradients_with(monkeypatch, torch.zeros_like)
    assert settle("trainer=cpu") == "32-true"
    assert settle("trainer=cpu", "trainer.precision=32") == "32"
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert settle("trainer=auto", "trainer.precision=bf16-mixed") == "bf16-mixed"


@pytest.mark.slow
def test_with_the_remedy_this_processor_is_right():
    """In an interpreter of its own: oneDNN reads the variable when it is first used."""
    code = "from fbm.training.bf16 import check_bf16; check_bf16('bf16-mixed')"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}, check=True)
