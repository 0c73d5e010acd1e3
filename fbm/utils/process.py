"""Child processes with a time limit for each task, which never outlive their parent."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_all_start_methods, get_start_method, parent_process, set_start_method
from multiprocessing.context import SpawnContext
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # imported late, since `fbm --help` does not need it
    from concurrent.futures import Future
    from multiprocessing.synchronize import RLock

PAUSE = 0.5  # seconds between looks for a parent

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class CrashedError(Exception):
    """A child process ended without a result, for instance by a crash of the decoder; has the exit code."""


def end_with_parent() -> None:
    """Exit this process immediately when its parent ends.

    Otherwise the children of a killed command would run beside those of the next one, and could overwrite its files.
    """
    parent = parent_process()
    assert parent is not None, "only for children of multiprocessing and joblib"

    def wait() -> None:
        if parent.sentinel is not None:
            parent.join()  # waits on a pipe that the kernel closes with the parent
        while os.getppid() == parent.pid:  # joblib's workers have no such pipe
            time.sleep(PAUSE)
        os._exit(1)

    Thread(target=wait, daemon=True, name="end with parent").start()


@contextmanager
def _known_start_method() -> Iterator[None]:
    """Let spawned children start in joblib's workers, too, whose default is a method that only joblib knows."""
    before = get_start_method(allow_none=True)
    if before is None or before in get_all_start_methods():
        yield
        return
    set_start_method("spawn", force=True)
    try:
        yield
    finally:
        set_start_method(before, force=True)


class _KeptLocks(SpawnContext):
    """Keeps the locks that it makes for as long as it lives.

    A pool that ends deletes its locks before it ends its children, and one that is still starting would then fail to
    find them and print a traceback.
    """

    def __init__(self) -> None:
        super().__init__()
        self._locks: list[RLock] = []

    def RLock(self) -> "RLock":  # noqa: N802 (multiprocessing's name)
        """A lock for several processes."""
        self._locks.append(super().RLock())
        return self._locks[-1]


@contextmanager
def in_processes(
    work: Callable[..., Answer],
    tasks: Sequence[tuple[Task, tuple[Any, ...], float | None]],
    workers: int | None = None,
) -> Iterator[Iterator[tuple[Task, Callable[[], Answer]]]]:
    """Do `work` for all tasks in parallel; children are killed at their time limit or when the block is left.

    Args:
        work: a function of a module, called in a child process.
        tasks: each with the arguments of `work` and its time limit in seconds, or None.
        workers: number of child processes, at most one a task; None is one a core.

    Yields:
        Tasks in the order in which they finish, each with a function that returns the result of `work` or raises its
        error, TimeoutError, or CrashedError.
    """
    from concurrent.futures import as_completed

    from pebble import ProcessExpired, ProcessPool

    if not tasks:
        yield iter(())
        return

    def answer(future: "Future[Answer]") -> Answer:
        try:
            return future.result()
        except ProcessExpired as error:
            raise CrashedError(f"exit code {error.exitcode}") from error

    with _known_start_method():
        # Spawned: forking a process with threads can hang, and decoders have many.
        context = _KeptLocks()
        pool = ProcessPool(
            max_workers=min(workers or len(os.sched_getaffinity(0)), len(tasks)),
            initializer=end_with_parent,
            context=context,
        )
        futures: dict[Future[Answer], Task] = {
            pool.schedule(work, args=arguments, timeout=limit): task for task, arguments, limit in tasks
        }
        try:
            yield ((futures[future], partial(answer, future)) for future in as_completed(futures))
        finally:
            pool.stop()
            pool.join()
