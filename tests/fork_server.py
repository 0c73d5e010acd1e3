"""The server of `tests.processes`: `python -m tests.fork_server CONNECTION PADDING`."""

import atexit
import ctypes
import fcntl
import gc
import importlib
import os
import pickle
import pkgutil
import random
import runpy
import signal
import socket
import sys
import threading
import time
import types
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

import fbm
from fbm.config.compose import compose
from tests import processes
from tests.hydra_cache import cache_parsing
from tests.processes import FBM, ROOM, Command, kind_of, receive

ENTRY = "import sys; from fbm.cli.main import main; sys.exit(main())"
# What runs import on their way; a child imports the rest, if it needs any.
PRELOADED = ("pytorch_lightning", "torchmetrics", "torch._dynamo", "torch.utils.tensorboard", "matplotlib.pyplot")


def serve(connection: socket.socket) -> Command:
    """Fork a child for each request; returns in the children alone, and never where the other end is gone."""
    while True:
        size, descriptors, _, _ = socket.recv_fds(connection, 8, 64)
        if not size:
            os._exit(0)
        command: Command = pickle.loads(receive(connection, int.from_bytes(size, "big")))
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            own = os.getpid()
            child = os.fork()
            if child == 0:
                while os.getppid() == own:  # until it is the child of whoever asked
                    time.sleep(0.001)
                os.close(reading)
                os.close(writing)
                return _become(command, connection, descriptors)
            os.write(writing, child.to_bytes(8, "big"))
            os._exit(0)
        os.waitpid(between, 0)
        connection.sendall(os.read(reading, 8))
        for fd in (reading, writing, *descriptors):
            os.close(fd)


def _become(command: Command, connection: socket.socket, descriptors: list[int]) -> Command:
    """Make this fork what the command asks for."""
    connection.close()
    ours, theirs = socket.socketpair()
    if command.new_session:
        os.setsid()
    elif command.group >= 0:
        os.setpgid(0, command.group)
    if os.fork() == 0:
        ours.close()
        for fd in descriptors:
            os.close(fd)
        return serve(theirs)
    theirs.close()
    processes.use(_above(ours, [*command.descriptors, *descriptors]))
    os.chdir(command.folder)
    _place(descriptors, command.descriptors)
    os.environ.clear()
    os.environ.update(command.environ)
    return command


def _above(connection: socket.socket, taken: Iterable[int]) -> socket.socket:
    """The connection under a number that no passed descriptor wants."""
    with connection:
        return socket.socket(fileno=fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, max(taken) + 1))


def _place(sources: list[int], numbers: list[int]) -> None:
    """Give descriptors their numbers, by way of numbers that none of them wants."""
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(*sources, *numbers) + 1) for fd in sources]
    for fd in sources:
        os.close(fd)
    for fd, number in zip(high, numbers, strict=True):
        os.dup2(fd, number, inheritable=True)
        os.close(fd)


def execute(command: Command, path: list[str]) -> None:
    """Run it as the interpreter would; what it raises is the interpreter's to handle.

    Args:
        path: import path behind what the environment asks for.
    """
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = _writer(1, "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _writer(2, "backslashreplace")  # type: ignore[misc]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)
    random.seed()
    processes.fork_what_is_started(pytest.MonkeyPatch())
    _show(command.argv)
    kind = kind_of(command.argv)
    start = command.argv.index(kind) if kind else 0
    name, arguments = (command.argv[start + 1], command.argv[start + 2 :]) if kind else (ENTRY, command.argv[1:])
    own = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [str(Path.cwd()) if kind == "-m" else "", *own, *path]
    importlib.invalidate_caches()
    if kind == "-m":
        sys.argv = ["-m", *arguments]
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        return
    sys.argv = [kind or FBM, *arguments]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    exec(compile(name, "<string>", "exec"), main.__dict__)


def end(status: int) -> NoReturn:
    """Exit as the interpreter does, but without freeing the modules: that is 0.3 s, more than what most children do."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):  # a closed pipe or stream is the interpreter's to report
        sys.stdout.flush()
        sys.stderr.flush()
        ctypes.CDLL(None).fflush(None)
        os._exit(status & 0xFF)
    sys.exit(status)


def _show(argv: list[str]) -> None:
    """Make /proc/PID/cmdline what a new process would have there."""
    start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[45])  # arg_start
    shown = "\0".join(argv).encode()[: ROOM - 1]
    ctypes.memmove(start, shown.ljust(ROOM, b"\0"), ROOM)


def _writer(fd: int, errors: str) -> Any:
    return open(fd, "w", buffering=1 if fd == 2 or os.isatty(fd) else -1, errors=errors, closefd=False)


def preload() -> None:
    """Import what commands import, and parse the configs once; start no thread."""
    cache_parsing(pytest.MonkeyPatch())
    entered = ("__main__", "rank")  # modules that are run by their name
    names = [module.name for module in pkgutil.walk_packages(fbm.__path__, "fbm.")]
    for name in [*PRELOADED, *(name for name in names if name.rpartition(".")[2] not in entered)]:
        with suppress(ImportError):
            importlib.import_module(name)
    compose()


def main() -> None:
    """Preload, then serve the connection whose number is the argument."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    own = set(filter(None, os.environ.pop("PYTHONPATH", "").split(os.pathsep)))
    path = [entry for entry in sys.path[1:] if entry not in own]
    preload()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork keeps one thread of its parent"
    gc.freeze()
    command = serve(connection)
    try:
        execute(command, path)
    except SystemExit as stop:
        if stop.code is not None and not isinstance(stop.code, int):
            raise
        end(stop.code or 0)
    end(0)


if __name__ == "__main__":
    from tests import fork_server  # not as __main__, which belongs to the children

    fork_server.main()
