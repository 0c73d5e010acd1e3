"""Where a result comes from: code, packages, machine."""

import hashlib
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

import fbm
from fbm.checkout import Checkout
from fbm.files import checksum, whole_file, write_text

PACKAGES = (
    *("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "omegaconf", "numpy"),
    *("av", "opencv-python-headless", "wandb"),
)
FOLDER, DIFF, LIST = "provenance", "git.diff", "packages.txt"


def record(folder: Path) -> dict[str, Any]:
    """What a run starts from, to be called before it does: the code may change while it goes on.

    Writes `provenance/packages.txt` into the run folder, and `provenance/git.diff` where anything is uncommitted.

    Returns:
        For the summary: `fbm`, `git`, `lock` (of requirements.lock) and `packages` (of packages.txt), both 16 hex
        digits of SHA-256, and `versions`. `git` and `lock` are None where fbm does not run from a checkout.
    """
    packages = "".join(f"{line}\n" for line in installed())
    write_text(folder / FOLDER / LIST, packages)
    git, lock = _code(folder / FOLDER / DIFF)
    digest = hashlib.sha256(packages.encode()).hexdigest()[:16]
    return {"fbm": fbm.__version__, "git": git, "lock": lock, "packages": digest, "versions": versions()}


def _code(diff: Path) -> tuple[dict[str, Any] | None, str | None]:
    """`git` and `lock` of the summary; the uncommitted changes go into the file `diff`."""
    package = Path(fbm.__file__).parent
    try:
        checkout = Checkout(package)
        dirty = checkout.dirty
    except (OSError, subprocess.CalledProcessError):
        return None, None
    if dirty:
        with whole_file(diff) as file:
            file.write(_patch(checkout))
    lock = package.parent / "requirements.lock"
    return {"commit": checkout.commit, "dirty": dirty}, checksum(lock)[:16] if lock.is_file() else None


def _patch(checkout: Checkout) -> bytes:
    try:
        return checkout.patch()
    except (OSError, subprocess.CalledProcessError) as error:  # files that vanish while git looks at them
        return f"# the changes could not be read: {error}\n".encode()


def installed() -> list[str]:
    """Every installed distribution as `name==version`, sorted; names as pip compares them."""
    names = [(found.metadata["Name"], found.version) for found in distributions()]
    return sorted({f"{re.sub(r'[-_.]+', '-', name).lower()}=={number}" for name, number in names if name})


def versions() -> dict[str, str]:
    """Python's and the packages' that can change a result."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware(trainer: pl.Trainer) -> dict[str, Any]:
    """Device, processor and memory (GiB, of the machine); GPUs where there are any. Nothing that names the machine."""
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
    """How many GPUs torch sees, the first one's name, and the driver's version where nvidia-smi says it."""
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        driver = None
    return {"gpus": torch.cuda.device_count(), "gpu": torch.cuda.get_device_name(0), "driver": driver}
