"""Runs as `fbm runs` lists them: whatever state they are in, with any value that is known of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fbm.report.labels import natural_sort_key, printable
from fbm.report.read.files import curve, read_config, read_metrics, run_folders
from fbm.report.read.progress import state
from fbm.runs.files import FAILURE
from fbm.runs.summary import RunSummary, summary_if_finished
from fbm.utils.errors import UserError
from fbm.utils.files import shown
from fbm.utils.suggest import did_you_mean

FACTS = ("study", "run", "task", "init", "seed", "data", "label_fraction", "epochs", "best_epoch", "seconds", "started")
OWN = ("state", "folder", *FACTS)
# Where the config has what the summary of a finished run says.
SETTINGS = {
    "run": "name",
    "task": "task_name",
    "init": "init.name",
    "data": "data.name",
    "label_fraction": "data.label_fraction",
}
HIGHER_IS_BETTER = ("top1", "psnr", "ssim", "iou", "rank", "accuracy", "fraction")  # in a metric's name
Value = str | float | int | None


@dataclass(frozen=True)
class Entry:
    """One run folder, finished or not.

    Attributes:
        state: "finished", "running", "failed", "unfinished" or "damaged".
        summary: None unless it is finished.
        fault: one line on what is damaged, or why it failed; empty for the others.
    """

    path: Path
    state: str
    summary: RunSummary | None = None
    fault: str = ""

    def value(self, key: str) -> Value:
        """A metric, a fact or a setting; None where it has none."""
        if key == "state":
            return self.state
        if key == "folder":
            return shown(self.path)
        if key in FACTS and self.summary is not None:
            found: Value = getattr(self.summary, key)
            return found
        if key in FACTS:
            return self.settings.get(SETTINGS.get(key, key))
        found = self.metrics.get(key)
        return self.settings.get(key) if found is None else found

    def knows(self, key: str) -> bool:
        """Whether it has such a metric or setting."""
        return key in OWN or key in self.metrics or key in self.settings

    @cached_property
    def metrics(self) -> Mapping[str, float | None]:
        """Of the best epoch and the test; the newest of an unfinished run."""
        if self.summary is not None:
            return self.summary.metrics
        try:
            rows = read_metrics(self.path)
            names = dict.fromkeys(name for row in rows for name, value in row.items() if "/" in (name or "") and value)
            return {name: values[-1] for name in names if (values := list(curve(self.path, rows, name).values()))}
        except UserError:  # being written
            return {}

    @cached_property
    def settings(self) -> dict[str, str]:
        """The config, by dotted keys; empty if it cannot be read."""
        try:
            return printable(read_config(self.path))
        except UserError:
            return {}


def entries(folders: Sequence[Path]) -> list[Entry]:
    """Every run at or below the folders, each once.

    Raises:
        UserError: a folder does not exist, or there is no run.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; name one with runs in it, such as outputs/demo")
    places = {path.resolve(): None for folder in folders for path in run_folders(folder)}
    if not places:
        raise UserError(f"{', '.join(map(str, folders))}: no run found (no folder with a config.yaml). Train first.")
    return [_entry(path) for path in places]


def _entry(path: Path) -> Entry:
    try:
        if summary := summary_if_finished(path):
            return Entry(path, "finished", summary)
    except UserError as error:
        return Entry(path, "damaged", fault=str(error))
    found = state(path)
    if found != "failed":
        return Entry(path, found)
    try:
        last = (path / FAILURE).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
    except OSError:  # restarted meanwhile
        return Entry(path, state(path))
    return Entry(path, found, fault=f"{shown(path)}: {''.join(last)}")


def chosen(listed: Sequence[Entry], filters: Mapping[str, str]) -> list[Entry]:
    """The runs with these values: `KEY=A,B` is either.

    Raises:
        UserError: no run has such a key, or these values.
    """
    for key in filters:
        check_known(listed, key)
    kept = [entry for entry in listed if all(_is_any(entry.value(key), text) for key, text in filters.items())]
    if not kept:
        asked = " ".join(f"{key}={text}" for key, text in filters.items())
        seen = [
            f"{key} is {', '.join(sorted({str(entry.value(key)) for entry in listed}, key=natural_sort_key)[:10])}"
            for key in filters
        ]
        raise UserError(f"none of {len(listed)} runs has {asked}; their {'; '.join(seen)}")
    return kept


def ordered(listed: Sequence[Entry], key: str | None, reverse: bool) -> list[Entry]:
    """The runs sorted by a key; those without a value come last.

    Raises:
        UserError: no run has such a key.
    """
    if key is None:
        return list(reversed(listed)) if reverse else list(listed)
    check_known(listed, key)
    known = [entry for entry in listed if _number_or_text(entry.value(key)) is not None]
    others = [entry for entry in listed if entry not in known]
    falling = any(word in key.rpartition("/")[2] for word in HIGHER_IS_BETTER) and "/" in key
    known.sort(key=lambda entry: natural_sort_key(str(entry.value(key))), reverse=falling is not reverse)
    return [*known, *others]


def _number_or_text(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_any(value: Any, text: str) -> bool:
    """Whether a value is one of those that are separated by commas; numbers are compared as numbers."""
    return any(natural_sort_key(str(value)) == natural_sort_key(one) for one in text.split(","))


def check_known(listed: Sequence[Entry], key: str) -> None:
    """Raise UserError if no run has such a key."""
    if not any(entry.knows(key) for entry in listed):
        known = {*OWN, *(name for entry in listed for name in (*entry.metrics, *entry.settings))}
        raise UserError(f"no run has a metric or setting {key!r}{did_you_mean(key, sorted(known))}")
