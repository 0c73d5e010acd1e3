"""Whether two run folders, or two stores, are the same: bit by bit, but for what tells the time."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

STATES = ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step")
TIMES = {"started", "seconds", "throughput", "resumed"}  # of the summary
BESIDE = re.compile(r"\.lock|\.hydra/|earlier-\d+/")  # what an attempt that was killed too early left is kept


def differing_files(one: Path, other: Path) -> list[str]:
    """Names of files that differ, or that only one folder holds."""
    first, second = _contents(one), _contents(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def differing_runs(one: Path, other: Path) -> list[str]:
    """What differs of two runs: files, weights, states of optimiser and schedule, metrics, summaries."""
    found = sorted(_names(one) ^ _names(other))
    for name in ("best", "last"):
        first, second = (_checkpoint(run / "checkpoints" / f"{name}.ckpt") for run in (one, other))
        found += [f"{name}.ckpt: {place}" for key in STATES for place in unequal(first.get(key), second.get(key), key)]
    first, second = (json.loads((run / "summary.json").read_text()) for run in (one, other))
    for summary in (first, second):
        summary["metrics"] = {key: value for key, value in summary["metrics"].items() if not key.startswith("time/")}
    kept = (first.keys() | second.keys()) - TIMES
    found += [place for key in sorted(kept) for place in unequal(first.get(key), second.get(key), f"summary: {key}")]
    found += unequal(_rows(one / "metrics.csv"), _rows(other / "metrics.csv"), "metrics.csv")
    pictures = (one / "gallery").glob("*.png")
    return found + [path.name for path in pictures if path.read_bytes() != (other / "gallery" / path.name).read_bytes()]


def _names(run: Path) -> set[str]:
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    return {name for name in names if not BESIDE.match(name)}


def _checkpoint(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [
            {key: value for key, value in row.items() if not key.startswith("time/")} for row in csv.DictReader(file)
        ]


def unequal(one: Any, other: Any, place: str) -> Iterator[str]:
    """Where two nested values differ; a NaN equals a NaN of the same bits."""
    if type(one) is not type(other):
        yield f"{place}: {type(one).__name__} and {type(other).__name__}"
    elif isinstance(one, torch.Tensor):
        if one.dtype != other.dtype or one.shape != other.shape or not torch.equal(_bits(one), _bits(other)):
            yield place
    elif isinstance(one, dict):
        for key in one.keys() | other.keys():
            if key in one and key in other:
                yield from unequal(one[key], other[key], f"{place}.{key}")
            else:
                yield f"{place}.{key} is in one alone"
    elif isinstance(one, list | tuple):
        if len(one) != len(other):
            yield f"{place}: {len(one)} and {len(other)} long"
        for number, (left, right) in enumerate(zip(one, other, strict=False)):
            yield from unequal(left, right, f"{place}[{number}]")
    elif one != other:
        yield f"{place}: {one!r} and {other!r}"


def _bits(value: torch.Tensor) -> torch.Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)
