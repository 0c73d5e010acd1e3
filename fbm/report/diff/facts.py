"""What the files of one run say, in groups: config, pretraining, data, code, packages, hardware, results."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fbm.config.keys import NON_SEMANTIC_KEYS, flatten, under
from fbm.config.renamed import NOW, with_targets, without_added
from fbm.report.read.files import read_config
from fbm.runs.files import CONFIG
from fbm.runs.summary import RunSummary, summary_if_finished
from fbm.utils.errors import UserError

NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class RunSnapshot:
    """A run folder that was read; older runs lack some of it.

    Attributes:
        folder: as the user gave it.
        config: resolved.
        summary: None while the run is not finished.
        patch: 16 hex digits of the uncommitted changes; None where none were recorded.
        packages: version of every installed distribution; empty where they were not recorded.
    """

    folder: Path
    config: dict[str, Any]
    summary: RunSummary | None
    patch: str | None
    packages: dict[str, str]


def read_run(folder: Path) -> RunSnapshot:
    """Read a run folder.

    Raises:
        UserError: it holds no run, or a damaged one.
    """
    if not (folder / CONFIG).is_file():
        hint = "no such folder" if not folder.exists() else f"no {CONFIG} in it"
        if folder.is_file():
            hint = "it is a file; name the run's folder"
        elif runs := sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}")):
            hint = f"it is a study of {len(runs)} runs; name one of them, as {folder / runs[0]}"
        raise UserError(f"no run at {folder}: {hint}")
    summary = summary_if_finished(folder)
    diff, installed = folder / "provenance" / "git.diff", folder / "provenance" / "packages.txt"
    patch = hashlib.sha256(diff.read_bytes()).hexdigest()[:16] if diff.is_file() else None
    lines = installed.read_text(encoding="utf-8").splitlines() if installed.is_file() else []
    packages = dict(line.split("==", 1) for line in lines if "==" in line)
    return RunSnapshot(folder, read_config(folder), summary, patch, packages)


def facts(run: RunSnapshot, everything: bool, all_packages: bool) -> dict[str, Mapping[str, Any]]:
    """Values by group and key; only `config` and `pretraining` of an unfinished run.

    Args:
        everything: also settings that are only names and paths.
        all_packages: every installed package, and not only those that the summary names.
    """
    summary = run.summary
    checkpoint = flatten(run.config).get("init.checkpoint")
    known: dict[str, Mapping[str, Any]] = {
        "config": _settings(run, everything),
        # For an older or unfinished run, what its config says.
        "pretraining": {} if checkpoint is None else {"folder": checkpoint},
    }
    if summary is None:
        return known
    if summary.pretraining:
        known["pretraining"] = asdict(summary.pretraining)
    git = summary.git or {"commit": "no checkout", "dirty": False}
    changes = (run.patch or NOT_RECORDED) if git.get("dirty") else "none"
    counts = {"best_epoch": summary.best_epoch, "epochs": summary.epochs, "seconds": summary.seconds}
    clips = {f"{split} clips": count for split, count in summary.samples.items()}
    packages = {**run.packages, "python": summary.versions.get("python")} if all_packages else summary.versions
    return known | {
        "data": {"name": summary.data, "fingerprint": summary.fingerprints.data, **clips},
        "code": {"fbm": summary.fbm, "commit": git.get("commit"), "changes": changes},
        "packages": {"lock": summary.lock, **packages},
        "hardware": summary.hardware,
        "results": summary.metrics | {name: value for name, value in counts.items() if value is not None},
    }


def _settings(run: RunSnapshot, everything: bool) -> dict[str, Any]:
    """The config with dotted keys; paths inside the run folder begin with RUN, so that they are equal in all runs."""
    settings = flatten(run.config)
    if everything:
        return settings
    settings = with_targets(without_added(settings), NOW)
    folder = str(run.config.get("run_dir") or run.folder)
    for key, value in settings.items():
        if isinstance(value, str) and (value == folder or value.startswith(f"{folder}/")):
            settings[key] = f"RUN{value.removeprefix(folder)}"
    return {key: value for key, value in settings.items() if not under(key, NON_SEMANTIC_KEYS)}
