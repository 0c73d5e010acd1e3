"""Work in child processes: with a time limit for each piece, and none of them left when the parent has ended."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing import parent_process
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # pebble is imported where it is used, for `fbm --help` does not need it
    from concurrent.futures import Future

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class CrashedError(Exception):
    """A child process ended without an answer, as a decoder's crash has it; the exit code is in the message."""


def end_with_parent() -> None:
    """End this process, at once and wherever it is, when its parent has ended in whatever way.

    Otherwise what a killed command had begun goes on beside the next one, and can put its files in place of that one's.
    """
    parent = parent_process()
    assert parent is not None, "only for children of multiprocessing"

    def wait() -> None:
        parent.join()  # on a pipe that the kernel closes with the parent
        os._exit(1)

    Thread(target=wait, daemon=True, name="end with parent").start()


@contextmanager
def in_processes(
    work: Callable[..., Answer],
    tasks: Sequence[tuple[Task, tuple[Any, ...], float | None]],
    workers: int | None = None,
) -> Iterator[Iterator[tuple[Task, Callable[[], Answer]]]]:
    """Do `work` for every task, several at a time; children are killed at their time limit or when the block is left.

    Args:
        work: a function of a module, called in a child.
        tasks: what it is done for, its arguments, and the seconds that it may take, or None.
        workers: child processes; None takes one a core. There are no more than tasks.

    Yields:
        Tasks in the order in which they are finished, each with a function that gives the answer or raises what `work`
        raised, TimeoutError, or CrashedError.
    """
    from concurrent.futures import as_completed
    from multiprocessing import get_context

    from pebble import ProcessExpired, ProcessPool

    if not tasks:
        yield iter(())
        return

    def answer(future: "Future[Answer]") -> Answer:
        try:
            return future.result()
        except ProcessExpired as error:
            raise CrashedError(f"exit code {error.exitcode}") from error

    # A fresh interpreter a worker: forking a process that runs threads can hang, decoders worst of all.
    pool = ProcessPool(
        max_workers=min(workers or len(os.sched_getaffinity(0)), len(tasks)),
        initializer=end_with_parent,
        context=get_context("spawn"),
    )
    futures: dict[Future[Answer], Task] = {
        pool.schedule(work, args=arguments, timeout=limit): task for task, arguments, limit in tasks
    }
    try:
        yield ((futures[future], partial(answer, future)) for future in as_completed(futures))
    finally:
        pool.stop()
        pool.join()
