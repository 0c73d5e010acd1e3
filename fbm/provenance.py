"""Where a result comes from: code, versions, machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

import fbm

PACKAGES = ("torch", "pytorch-lightning", "torchmetrics", "hydra-core", "omegaconf", "numpy", "decord", "av", "wandb")


def provenance(trainer: pl.Trainer) -> dict[str, Any]:
    """For a run's summary: `fbm`, `git`, `versions`, `hardware`."""
    return {"fbm": fbm.__version__, "git": git_state(), "versions": versions(), "hardware": hardware(trainer)}


def git_state() -> dict[str, Any] | None:
    """Commit and whether anything was changed since; None where fbm does not run from a checkout."""
    here = Path(__file__).parent
    try:
        _git(here, "ls-files", "--error-unmatch", "__init__.py")  # an installed fbm may lie in somebody's repository
        commit = _git(here, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(here, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    output = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True)
    return output.stdout.strip()


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
    """Device and processor."""
    device = trainer.strategy.root_device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": device.type,
        "name": name,
        "cpus": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "precision": trainer.precision,
    }
