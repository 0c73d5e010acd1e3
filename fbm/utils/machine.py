"""What a training process asks of its machine before it starts."""

import ctypes
import logging
import sys
import warnings

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's names for mallopt
LARGEST = 2**31 - 1


def configure_malloc() -> None:
    """Have freed memory kept for the next step (Linux with glibc; elsewhere nothing happens).

    By default every large activation is a fresh mapping: the kernel clears it page by page, in every layer of every
    step, which took a quarter of a training step on a processor.
    """
    if sys.platform != "linux":
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, LARGEST)


def silence_lightning() -> None:
    """Keep Lightning's advertisements out of a run's output; its warnings stay."""
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning's own, beside a newer torch
    for name in (
        "pytorch_lightning.utilities.rank_zero",
        "pytorch_lightning.accelerators.cuda",
        "lightning_fabric.utilities.distributed",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
