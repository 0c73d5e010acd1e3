"""Process settings for training."""

import ctypes
import logging
import sys
import warnings

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's names for mallopt
LARGEST = 2**31 - 1


def configure_malloc() -> None:
    """Keep freed memory for the next step (Linux with glibc; elsewhere nothing happens).

    By default every large activation is a new mapping, which the kernel clears page by page; this took a quarter of a
    training step on a CPU.
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
    """Suppress Lightning's tips; its warnings are kept."""
    warnings.filterwarnings("ignore", ".*LeafSpec.*")  # of Lightning with a newer torch
    for name in (
        "pytorch_lightning.utilities.rank_zero",
        "pytorch_lightning.accelerators.cuda",
        "lightning_fabric.utilities.distributed",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
