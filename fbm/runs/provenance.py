"""The provenance of a result: code, packages, machine."""

import hashlib
import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

import fbm
from fbm.runs.code import changed, listing
from fbm.runs.git import Checkout
from fbm.utils.files import atomic_write, checksum, write_text
from fbm.utils.messages import first_names

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "torchmetrics",
    "hydra-core",
    "omegaconf",
    "numpy",
    "av",
    "opencv-python-headless",
    "wandb",
)
FOLDER, DIFF, LIST, CODE = "provenance", "git.diff", "packages.txt", "code.txt"


def record(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Record the provenance of a run, before it starts: the code may change while it runs.

    Writes `provenance/packages.txt` and `provenance/code.txt` (see `fbm.runs.code.listing`) into the run folder, and
    `provenance/git.diff` if anything is uncommitted.

    Args:
        content: the run's resolved config.

    Returns:
        For the summary: `fbm`, `git`, `lock` (of requirements.lock), `packages` (of packages.txt) and `code` (of
        code.txt), 16 hex digits of SHA-256 each, and `versions`. `git` and `lock` are None unless fbm runs from a
        checkout.
    """
    texts = {LIST: "".join(f"{line}\n" for line in installed()), CODE: listing(content)}
    for name, text in texts.items():
        write_text(folder / FOLDER / name, text)
    git, lock = _code(folder / FOLDER / DIFF)
    packages, code = (hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts.values())
    return {
        "fbm": fbm.__version__,
        "git": git,
        "lock": lock,
        "packages": packages,
        "code": code,
        "versions": versions(),
    }


def log_changed_code(folder: Path, content: dict[str, Any], remedy: str) -> None:
    """Print which code files have changed since a run was recorded, if any.

    Args:
        content: the run's resolved config.
        remedy: how to run it with the present code.
    """
    try:
        names = changed((folder / FOLDER / CODE).read_text(), content)
    except (OSError, ValueError):  # recorded by an earlier fbm, or damaged
        return
    if names:
        print(f"{folder}: the code has changed since this run began ({first_names(names, 3)}): {remedy}")


def _code(diff: Path) -> tuple[dict[str, Any] | None, str | None]:
    """`git` and `lock` of the summary; uncommitted changes are written to `diff`."""
    package = Path(fbm.__file__).parent
    try:
        checkout = Checkout(package)
        dirty = checkout.dirty
    except (OSError, subprocess.CalledProcessError):
        return None, None
    if dirty:
        with atomic_write(diff) as file:
            file.write(_patch(checkout))
    lock = package.parent / "requirements.lock"
    return {"commit": checkout.commit, "dirty": dirty}, checksum(lock)[:16] if lock.is_file() else None


def _patch(checkout: Checkout) -> bytes:
    try:
        return checkout.patch()
    except (OSError, subprocess.CalledProcessError) as error:  # a file was deleted meanwhile
        return f"# the changes could not be read: {error}\n".encode()


@cache  # slower than the steps of a small run, and a process keeps the packages it has loaded
def installed() -> tuple[str, ...]:
    """Every installed distribution as `name==version`, sorted; names normalised as by pip."""
    names = [(found.metadata["Name"], found.version) for found in distributions()]
    return tuple(sorted({f"{re.sub(r'[-_.]+', '-', name).lower()}=={number}" for name, number in names if name}))


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can affect results."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware(trainer: pl.Trainer) -> dict[str, Any]:
    """Device, processor, memory (GiB, of the machine) and GPUs, but no name of the machine."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": device.type,
        "name": name,
        "cpu": processor(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "threads": torch.get_num_threads(),
        "precision": trainer.precision,
        "ranks": trainer.world_size,
        "nodes": trainer.num_nodes,
        **(_gpus() if torch.cuda.is_available() else {}),
    }


def processor() -> str:
    """The processor's model, as Linux names it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _gpus() -> dict[str, Any]:
    """The number of GPUs, the name of the first one, and the driver's version if nvidia-smi is installed."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        driver = None
    return {"gpus": torch.cuda.device_count(), "gpu": torch.cuda.get_device_name(0), "driver": driver}
