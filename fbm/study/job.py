"""One planned run of a study, and its state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fbm.runs.files import CONFIG, SUMMARY
from fbm.runs.summary import summary_if_whole
from fbm.utils.files import is_locked

Combination = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of a study.

    Attributes:
        stage: "pretrain" or "classify".
        label: the initialisation that it makes, or starts from.
        values: that distinguish it from the other runs of its stage.
        overrides: of `fbm train`.
        folder: where the run is, or will be.
        identity: fingerprint of its settings.
        content: its resolved config.
        needs: the run folder that must be finished first.
    """

    stage: str
    label: str
    values: Combination
    overrides: tuple[str, ...]
    folder: Path
    identity: str
    content: dict[str, Any]
    needs: Path | None = None

    @property
    def finished(self) -> bool:
        """Whether the run is finished with these settings, tested if it should be, and from the present weights."""
        summary = summary_if_whole(self.folder)
        if summary is None or summary.fingerprints.run != self.identity:
            return False
        source = summary_if_whole(self.needs) if self.needs else None
        made_by = summary.pretraining.fingerprint if summary.pretraining else None
        return summary.tested >= self.content["test"] and (source is None or source.fingerprints.config == made_by)

    @property
    def started(self) -> bool:
        """Whether the folder holds an unfinished run."""
        return (self.folder / CONFIG).is_file() and not (self.folder / SUMMARY).is_file()

    @property
    def running(self) -> bool:
        """Whether a process is running it now."""
        return is_locked(self.folder)
