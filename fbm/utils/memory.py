"""Running out of memory, in one line that says what to lower."""

import re
import shutil

import torch

SHM = "/dev/shm"

SIGNS = re.compile(
    r"out of memory|can(?:no|')t allocate memory|not enough memory|ALLOC_FAILED"
    r"|could not create a (?:primitive|memory)(?! d)",  # oneDNN's; of a shape it does not know it says "... descriptor"
    re.IGNORECASE,
)
SHARED = re.compile(r"shared memory|Bus err|file </?torch_")  # torch's words where batches are handed over
LOST_WORKER = re.compile(r"DataLoader worker \(pid.*\) (?:is killed by signal: Kill|exited unexpectedly)")
AMOUNT = re.compile(r"tried to allocate ([\d.]+ ?\w+)|unable to allocate ([\d.]+ ?\w+)", re.IGNORECASE)
LOWER = (
    "lower data.batch_size (trainer.accumulate_grad_batches=N keeps N of them to a step), encoder.width, or data.size "
    "(with a store of that size)"
)


def out_of_memory(error: BaseException) -> str | None:
    """One line for what torch, numpy or Python raise when there is no memory left; None for any other error."""
    text = str(error)
    if isinstance(error, RuntimeError) and SHARED.search(text):
        return _shared(text)
    if isinstance(error, RuntimeError) and LOST_WORKER.search(text):
        return f"a loader process was killed, as happens where memory ends: lower data.num_workers, or {LOWER}"
    said = isinstance(error, RuntimeError | OSError) and SIGNS.search(text)
    if not (said or isinstance(error, torch.OutOfMemoryError | MemoryError)):
        return None
    where = "on the GPU" if isinstance(error, torch.OutOfMemoryError) or "CUDA" in text else "in main memory"
    return f"out of memory {where}{_amount(text)}: {LOWER}"


def _shared(text: str) -> str:
    """What to say where loader processes have no room for the batches that they hand over."""
    if "Too many open files" in text:
        return "loader processes may open too few files: `ulimit -n 4096` raises their number, or data.num_workers=0"
    try:
        size = f" (it holds {shutil.disk_usage(SHM).total / 2**20:,.4g} MiB)"
    except OSError:  # there is none at all
        size = ""
    return (
        f"no shared memory left at {SHM}{size}, where loader processes hand over their batches: data.num_workers=0 "
        "needs none, a lower data.batch_size less, `docker run --shm-size=8g` gives more"
    )


def _amount(text: str) -> str:
    """How much was asked for, where the error says it."""
    found = AMOUNT.search(text)
    if found is None:
        return ""
    amount = found[1] or found[2]
    if count := re.fullmatch(r"(\d+) ?bytes", amount):
        amount = f"{int(count[1]) / 2**30:.2f} GiB"
    return f" ({amount} more were asked for)"
