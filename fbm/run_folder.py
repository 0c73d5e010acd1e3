"""What a run leaves: one folder, held by one job, finished when its summary is there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from fbm.errors import UserError
from fbm.files import held, write_text

SUMMARY, CONFIG = "summary.json", "config.yaml"
STUDY = "study.json"  # in a study's folder: the runs that it consists of


@dataclass
class Run:
    """A run folder; `summary` is None until the run is finished."""

    folder: Path
    summary: dict[str, Any] | None = None

    @property
    def best(self) -> Path:
        """The checkpoint of the best validation."""
        return self.folder / "checkpoints" / "best.ckpt"

    def start(self, config: str) -> None:
        """Begin: write the resolved config."""
        write_text(self.folder / CONFIG, config)

    def finish(self, summary: dict[str, Any]) -> None:
        """End: the summary makes the run a finished one."""
        self.summary = summary
        write_text(self.folder / SUMMARY, json.dumps(summary, indent=2) + "\n")


@contextmanager
def open_run(folder: str | Path, identity: str, overwrite: bool) -> Iterator[Run]:
    """Hold a run folder: empty for a new run, or finished with the same settings.

    What an unfinished run left (or a finished one, with `overwrite`) is moved to `earlier-N` inside.

    Raises:
        UserError: another job holds the folder, or a run with other settings is finished in it.
    """
    folder = Path(folder)
    with held(folder, "the run folder"):
        summary = None if overwrite else _read_summary(folder)
        if summary is not None:
            if summary.get("fingerprints", {}).get("run") != identity:
                raise UserError(
                    f"{folder} holds a finished run with other settings: choose name=..., or overwrite=true "
                    "(the old one is kept in a folder inside)"
                )
            yield Run(folder, summary)
            return
        _move_aside(folder)
        yield Run(folder)


def _read_summary(folder: Path) -> dict[str, Any] | None:
    path = folder / SUMMARY
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): delete it, or run with overwrite=true") from error
    return content if isinstance(content, dict) else {}


def _move_aside(folder: Path) -> None:
    own = {".hydra", ".lock"}  # Hydra wrote this job's before it called us
    old = [path for path in folder.iterdir() if path.name not in own and not path.name.startswith("earlier-")]
    if not old:
        return
    aside = next(path for number in count(1) if not (path := folder / f"earlier-{number}").exists())
    aside.mkdir()
    for path in old:
        path.rename(aside / path.name)
