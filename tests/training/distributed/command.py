"""`fbm` as a process of its own, as a user starts it, and what it leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

OUTER = ("SLURM_", "TORCHELASTIC_", "NODE_RANK", "MASTER_", "RANK", "LOCAL_", "WORLD_SIZE")


def start(
    *arguments: str, env: Mapping[str, str] | None = None, launcher: tuple[str, ...] = ()
) -> "subprocess.Popen[str]":
    """Start it here, without what an outer launcher may have left in the environment."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OUTER)}
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, *(launcher or ("-m", "fbm")), *arguments],
        env={**clean, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]", seconds: float = 600) -> tuple[int, str, str]:
    """Exit status, standard output and standard error; kills it where it does not end."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err


def fbm_lines(text: str) -> list[str]:
    """The lines of fbm itself in what a command printed on standard error."""
    return [line for line in text.splitlines() if line.startswith("fbm: ")]


def launcher_variables() -> dict[str, str]:
    """What a launcher sets in the environment of its processes, as it is here."""
    return {key: value for key, value in os.environ.items() if key.startswith(OUTER)}


def ranks_of(folder: Path) -> list[int]:
    """Process ids of all ranks that work for a run in this folder, whoever started them."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            command = (place / "cmdline").read_bytes()
            if b"fbm.training.distributed.rank" in command and (place / "cwd").resolve() == folder.resolve():
                found.append(int(place.name))
        except (OSError, ValueError):
            continue
    return found
