"""Peak FLOP/s of GPUs that Lightning does not know, or knows with another number."""

import warnings
from typing import NamedTuple

import torch
from lightning_fabric.utilities.throughput import get_available_flops


class Peak(NamedTuple):
    """TFLOP/s of one GPU by NVIDIA's data sheets, dense: half of the figures with sparsity."""

    half: float  # bf16 and fp16
    tf32: float
    single: float


# By the name that torch gives the device; the first match counts.
# Lightning (2.6) has no H200 by these names, and the figures of two for an H100 NVL.
HOPPER = {
    "H200 NVL": Peak(835.5, 417.5, 60.0),
    "H200": Peak(989.4, 494.7, 67.0),
    "H100 NVL": Peak(835.5, 417.5, 60.0),
    "H100 PCIe": Peak(756.0, 378.0, 51.2),
    "H100 80GB HBM2e": Peak(756.0, 378.0, 51.2),
    "H100": Peak(989.4, 494.7, 67.0),
}


def peak_of(device: torch.device, dtype: torch.dtype) -> float:
    """Peak FLOP/s of a device in a dtype, float32 as TF32 where that is on; 0 where it is not known."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        if " MIG " in name:
            return 0.0  # a part of a GPU
        peak = next((peak for words, peak in HOPPER.items() if words in name), None)
        if peak is not None:
            return 1e12 * _of(peak, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an unknown device
        return float(get_available_flops(device, dtype) or 0)


def _of(peak: Peak, dtype: torch.dtype) -> float:
    if dtype in (torch.bfloat16, torch.float16):
        return peak.half
    if dtype is torch.float32:
        return peak.single if torch.get_float32_matmul_precision() == "highest" else peak.tf32
    return 0.0
