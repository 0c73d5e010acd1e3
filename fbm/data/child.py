"""What every child process that writes does first: see to it that it ends with its parent."""

import os
from multiprocessing import parent_process
from threading import Thread


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
