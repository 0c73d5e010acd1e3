"""Out-of-memory errors as one line, with the settings to lower."""

import re
import shutil

import torch

SHM = "/dev/shm"

SIGNS = re.compile(
    r"out of memory|can(?:no|')t allocate memory|not enough memory|ALLOC_FAILED"
    r"|could not create a (?:primitive|memory)(?! d)",  # oneDNN's; for unsupported shapes it is "... descriptor"
    re.IGNORECASE,
)
SHARED = re.compile(r"shared memory|Bus err|file </?torch_")  # torch's errors of shared memory
LOST_WORKER = re.compile(r"DataLoader worker \(pid.*\) (?:is killed by signal: Kill|exited unexpectedly)")
AMOUNT = re.compile(r"tried to allocate ([\d.]+ ?\w+)|unable to allocate ([\d.]+ ?\w+)", re.IGNORECASE)
LOWER = (
    "lower data.batch_size (trainer.accumulate_grad_batches=N keeps N of them to a step), encoder.width, or data.size "
    "(with a store of that size)"
)


def out_of_memory(error: BaseException) -> str | None:
    """One line for out-of-memory errors of torch, numpy or Python; None for other errors."""
    text = str(error)
    if isinstance(error, RuntimeError) and SHARED.search(text):
        return _shared(text)
    if isinstance(error, RuntimeError) and LOST_WORKER.search(text):
        return f"a loader process was killed, as happens where memory ends: lower data.num_workers, or {LOWER}"
    matches = isinstance(error, RuntimeError | OSError) and SIGNS.search(text)
    if not (matches or isinstance(error, torch.OutOfMemoryError | MemoryError)):
        return None
    where = "on the GPU" if isinstance(error, torch.OutOfMemoryError) or "CUDA" in text else "in main memory"
    return f"out of memory {where}{_amount(text)}: {LOWER}"


def _shared(text: str) -> str:
    """The message for loader processes without enough shared memory or descriptors."""
    if "Too many open files" in text:
        return "loader processes may open too few files: `ulimit -n 4096` raises their number, or data.num_workers=0"
    try:
        size = f" (it holds {shutil.disk_usage(SHM).total / 2**20:,.4g} MiB)"
    except OSError:  # it does not exist
        size = ""
    return (
        f"no shared memory left at {SHM}{size}, where loader processes hand over their batches: data.num_workers=0 "
        "needs none, a lower data.batch_size less, `docker run --shm-size=8g` gives more"
    )


def _amount(text: str) -> str:
    """The size of the failed allocation, if the error has it."""
    found = AMOUNT.search(text)
    if found is None:
        return ""
    amount = found[1] or found[2]
    if count := re.fullmatch(r"(\d+) ?bytes", amount):
        amount = f"{int(count[1]) / 2**30:.2f} GiB"
    return f" ({amount} more were asked for)"
