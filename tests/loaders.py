"""Reading a loader to its end, or to its error."""

from typing import Any

from torch.utils.data import DataLoader


def read_all(loader: DataLoader[Any]) -> list[Any]:
    """All batches of an epoch.

    Where one raises, the workers are ended here. Otherwise some later test would find that garbage, since torch's
    error holds its own traceback and with it the loader, and wait 5 s for each worker: when loader and queues are
    collected together, no worker hears that it is to end.
    """
    iterator = iter(loader)
    try:
        return list(iterator)
    except BaseException:
        if loader.num_workers:
            iterator._shutdown_workers()  # type: ignore[attr-defined]
        raise
