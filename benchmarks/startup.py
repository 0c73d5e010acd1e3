"""How long after a command something is there: its help, a composed config, the first training step."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from benchmarks.result import Result, Row, Table
from benchmarks.rounds import in_turn
from fbm.utils.errors import UserError

ROOT = Path(__file__).parents[1]
FBM = (sys.executable, "-m", "fbm")
MODULE = "benchmarks.startup.FirstStep"


# What the system says of a child holds its parent's memory, too; Linux alone tells a process about itself.
PEAK = """
import re, sys
from pathlib import Path
from fbm.cli.main import main
peak = Path(sys.argv[1])  # Hydra replaces the arguments
try:
    status = main(sys.argv[2:])
finally:
    peak.write_text(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
sys.exit(status)
"""


class FirstStep(pl.Callback):
    """Writes when the first training step ended, in seconds of the epoch, into `file`."""

    def __init__(self, file: Path) -> None:
        self.file = Path(file)

    def on_train_batch_end(self, *_: Any) -> None:
        if not self.file.exists():
            self.file.write_text(repr(time.time()))


def bench_startup(settings: list[str], rounds: int, result: Result) -> None:
    """Fill `result`, in seconds, less is better."""
    measures: dict[str, Callable[[], float]] = {
        "python -c 'import torch'": lambda: _run([sys.executable, "-c", "import torch"]),
        "python -c 'import pytorch_lightning'": lambda: _run([sys.executable, "-c", "import pytorch_lightning"]),
        "fbm --help": lambda: _run([*FBM, "--help"]),
        "fbm train --help": lambda: _run([*FBM, "train", "--help"]),
        "fbm train --cfg job": lambda: _run([*FBM, "train", "--cfg", "job", *settings]),
    }
    found: dict[str, list[float]] = in_turn(
        {"fbm train, to the end of the first step": lambda: _first_step(settings), **measures}, rounds
    )
    rows = [Row(name, values) for name, values in found.items()]
    result.tables.append(Table("from the command to", "s", "less", rows))


def _run(command: list[str]) -> float:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # the command finds `MODULE`
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path})
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(f"{' '.join(command[1:])} failed: {said[-1].removeprefix('fbm: error: ') if said else ''}")
    return time.perf_counter() - began


def _first_step(settings: list[str]) -> float:
    with tempfile.TemporaryDirectory() as place:
        first = Path(place, "first")
        more = [
            f"+callbacks.first_step._target_={MODULE}",
            f"+callbacks.first_step.file={first}",
            f"run_dir={place}/run",
        ]
        few = ["trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1"]
        began = time.time()
        _run([*FBM, "train", *settings, *few, *more, "logger=csv", "callbacks.progress=null", "callbacks.probes=null"])
        return float(first.read_text()) - began


def peak(arguments: list[str]) -> tuple[float, int]:
    """Seconds of one `fbm` command, and bytes of its own process at the most."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "peak")
        seconds = _run([sys.executable, "-c", PEAK, str(file), *arguments])
        return seconds, int(file.read_text()) * 1024
