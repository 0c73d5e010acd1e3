"""Waiting for what other processes do."""

import subprocess
import time
from collections.abc import Callable
from typing import Any


def wait_until(true: Callable[[], Any], process: "subprocess.Popen[Any] | None" = None) -> None:
    """Until `true()`; fails after ten minutes, or when `process` ends before."""
    until = time.monotonic() + 600
    while not true():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.01)
