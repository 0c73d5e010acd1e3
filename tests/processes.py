"""Processes that start with everything imported: a server imports it once and forks a child for each command.

A new `fbm` spends six CPU seconds on imports. Here the child is a fork of a server without threads, which has imported
them, and is otherwise as good as new: arguments, environment, folder, streams, passed descriptors, session, signal
handlers and import path are those that were asked for, and it is a true child of whoever asked, so that waiting,
signals, process groups and exit statuses are the kernel's. A child gets a server of its own, for what it starts.

In a session of tests all ranks, all children of multiprocessing and all of joblib's workers are such forks, and every
`python -m fbm`, also torchrun's; a test's own `python -c ...` is one where it is started by `Popen` or `run` of this
module. Not for tests of what an interpreter does before its first line: import times, what libraries read from the
environment when imported (OMP_NUM_THREADS), limits of memory, another installation. Those start `python -c ...` by
`subprocess`.
"""

import ctypes
import multiprocessing.util
import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

PYTHON = sys.executable
FBM = str(Path(PYTHON).with_name("fbm"))
ROOM = 4000  # bytes that a child's command line may have in /proc
FORKED = ("fbm", "submitit", "torch")  # packages whose `python -m` is forked: the command, and what launches it
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_prctl = ctypes.CDLL(None).prctl
Exec = subprocess.Popen  # the original, which is replaced below


@dataclass
class Command:
    """What a child is to run: `argv` as of a Python interpreter, [PYTHON, "-c", CODE, ...] or [PYTHON, "-m", ...]."""

    argv: list[str]
    environ: dict[str, str]
    folder: str
    descriptors: list[int]  # their numbers in the child
    new_session: bool = False
    group: int = -1


class Server:
    """The end of the connection to a server from which this process gets its children."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.owner, self.lock = connection, os.getpid(), threading.Lock()

    def start(self, command: Command, descriptors: Sequence[int]) -> int:
        """A new child of this process; gives its id.

        Args:
            descriptors: what becomes `command.descriptors` in it, one by one.
        """
        payload = pickle.dumps(command)
        with self.lock:
            _prctl(SUBREAPER, 1, 0, 0, 0)  # the child's parent ends at once, and we inherit it
            try:
                socket.send_fds(self.connection, [len(payload).to_bytes(8, "big")], descriptors)
                self.connection.sendall(payload)
                child = int.from_bytes(receive(self.connection, 8), "big")
            finally:
                _prctl(SUBREAPER, 0, 0, 0, 0)
        return child


_server: Server | None = None
allowed = True  # whether this process may start interpreters now


class Fbm(subprocess.Popen[Any]):
    """`subprocess.Popen` whose `python -m` of `FORKED` are forks of the server; all else is started as ever."""

    def _execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest) -> None:
        # What follows `env` are the streams, at 3 to 8, and at the end the session and the group (Python 3.11 to 3.14).
        streams, (new_session, group) = rest[3:9], rest[-2:]
        argv = [os.fsdecode(word) for word in ([args] if isinstance(args, str | bytes | Path) else args)]
        if argv[0] == FBM or kind_of(argv):
            _check_allowed()
        server = None if preexec_fn or executable or not self._forks(argv) else current()
        if server is None:
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest)  # type: ignore[misc]
            return
        ends = enumerate((streams[0], streams[3], streams[5]))
        sent = {number: number if fd == -1 else fd for number, fd in ends} | {number: number for number in pass_fds}
        try:
            self.pid = server.start(_command(argv, env, cwd, sent, new_session, group), list(sent.values()))
            self._child_created = True
        finally:
            self._close_pipe_fds(*streams)  # type: ignore[attr-defined]

    def _forks(self, argv: list[str]) -> bool:
        return kind_of(argv) == "-m" and argv[argv.index("-m") + 1].partition(".")[0] in FORKED


class Popen(Fbm):
    """`subprocess.Popen` whose `python -c CODE`, `python -m MODULE` and `fbm` are forks of the server."""

    def _forks(self, argv: list[str]) -> bool:
        return argv[0] == FBM or kind_of(argv) is not None


def kind_of(argv: list[str]) -> str | None:
    """Which of -c and -m an interpreter is asked for, flags that change nothing here left out; None for others."""
    words = [word for word in argv if word not in ("-B", "-u")]
    return words[1] if words[0] == PYTHON and len(words) > 2 and words[1] in ("-c", "-m") else None


def run(
    command: Sequence[Any],
    *,
    capture_output: bool = False,
    timeout: float | None = None,
    check: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` with `Popen` of this module; also in several threads at once."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done


def fork_what_is_started(patch: pytest.MonkeyPatch) -> None:
    """Make ranks, children of multiprocessing and joblib's workers that this process starts forks of the server."""
    patch.setattr(subprocess, "Popen", Fbm)
    spawn = multiprocessing.util.spawnv_passfds
    patch.setattr(multiprocessing.util, "spawnv_passfds", partial(_spawn, spawn))
    with suppress(ImportError):
        from joblib.externals.loky.backend import fork_exec as loky

        patch.setattr(loky, "fork_exec", partial(_fork_exec, loky.fork_exec))


def _spawn(original: Any, path: Any, args: Sequence[Any], passed: Sequence[int]) -> int:
    argv = [os.fsdecode(word) for word in args]
    forked = kind_of(argv) == "-c" and any("spawn_main" in word for word in argv)  # not the resource tracker
    if forked:
        _check_allowed()
    server = current() if forked else None
    return original(path, args, passed) if server is None else _start(server, argv, None, passed)


def _fork_exec(original: Any, command: list[str], passed: Sequence[int], env: dict[str, str] | None = None) -> int:
    _check_allowed()
    server = current()
    if server is None:
        return int(original(command, passed, env))
    return _start(server, command, {**os.environ, **(env or {})}, passed)


def _start(server: Server, argv: list[str], env: Any, passed: Sequence[int]) -> int:
    sent = {number: number for number in (0, 1, 2, *map(int, passed))}
    return server.start(_command(argv, env, None, sent), list(sent))


def _command(argv: list[str], env: Any, folder: Any, sent: Any, new_session: bool = False, group: int = -1) -> Command:
    environ = {os.fsdecode(key): os.fsdecode(value) for key, value in (os.environ if env is None else env).items()}
    return Command(argv, environ, str(Path(os.fsdecode(folder or ".")).resolve()), list(sent), new_session, group)


def _check_allowed() -> None:
    if not allowed:
        pytest.fail("a test that starts processes is slow: mark it with pytest.mark.slow")


def use(connection: socket.socket) -> None:
    """Take this connection as the one to this process's server."""
    global _server
    _server = Server(connection)


def current() -> Server | None:
    """This process's server, started when first asked for; None in what forked itself from a process with one."""
    global _server
    if _server is None:
        ours, theirs = socket.socketpair()
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environ |= {"OMP_WAIT_POLICY": "passive", "TORCH_CPP_LOG_LEVEL": "ERROR", "WANDB_SILENT": "true"}  # as fbm does
        command = [sys.executable, "-m", "tests.fork_server", str(theirs.fileno()), " " * ROOM]
        root = Path(__file__).parents[1]
        environ["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [environ.get("PYTHONPATH")])])
        with theirs:
            Exec(command, env=environ, cwd=root, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        _server = Server(ours)
    return _server if _server.owner == os.getpid() else None


def receive(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise EOFError("the other end is gone")
        parts += part
    return parts
