"""Ties ranks to their parent process. Imports no torch, so that a rank can be tied before anything slow is loaded."""

import os
import signal
from threading import Thread

PARENT_PIPE_ENV = "FBM_PARENT_PIPE"  # number of a pipe whose other end the parent holds


def end_with_parent() -> None:
    """End this process's session, whatever it is doing then, as soon as its parent has ended in any way."""
    pipe = int(os.environ[PARENT_PIPE_ENV])

    def wait() -> None:
        os.read(pipe, 1)  # nothing is ever written: it returns when the other end is closed
        os.killpg(os.getpgrp(), signal.SIGKILL)

    Thread(target=wait, daemon=True).start()
