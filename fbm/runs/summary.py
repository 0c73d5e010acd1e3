"""The schema of `summary.json`, which a run writes when it is finished."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from fbm.runs.files import SUMMARY
from fbm.utils import schema
from fbm.utils.errors import UserError
from fbm.utils.files import read_validated

REMEDY = "Delete the file and run that job again, or run it with overwrite=true."


@dataclass(frozen=True, kw_only=True)
class Fingerprints:
    """Hashes of what a run depended on.

    Attributes:
        run: its settings, seed and places.
        config: everything that decides a result but the seed. It holds the config fingerprint of the pretraining run,
            so runs from unlike pretrainings differ in it.
        comparison: the same without the initialisation.
        data: the frame store.
    """

    run: str = ""
    config: str
    comparison: str
    data: str


@dataclass(frozen=True)
class Origin:
    """The pretraining run whose encoder a run started from; `folder` as in `init.checkpoint`, `data` by their name."""

    folder: str = ""
    study: str | None = ""
    run: str | None = ""
    seed: int | None = None
    fingerprint: str = ""
    data: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """A finished run. What older files lack has a default; what a newer fbm added is kept in `extra`.

    Attributes:
        job_type: "pretrain" or "classify".
        label_fraction: share of the labelled training groups, in 0..1.
        monitor: the metric by which the best checkpoint was chosen.
        metrics: of the best epoch, and of its test (`test/...`).
        tested_clips: how many test clips were measured, of `samples["test"]`; None without a test.
        confusion: C x C counts of test clips, rows true class, columns predicted, in the order of `classes`.
        video_confusion: the same over test videos.
        intervals: ends of the 95 % intervals of test accuracies, by the metric's name: percentile bootstrap over test
            groups, 2000 resamples.
        best_epoch: from 0.
        epochs: how many were trained.
        loaded: how many of the encoder's weights the checkpoint had.
        pretraining: the run whose encoder this one started from; None for a random start.
        samples: clips of each split.
        lock, packages, code: 16 hex digits of SHA-256 of requirements.lock, of all installed distributions, and of the
            code files.
        started: UTC, ISO 8601.
        seconds: of training and testing, over all attempts.
        resumed: how often the run was resumed.
        source: the checkpoint of another run that this one was resumed from.
    """

    study: str = ""
    run: str
    job_type: str | None = None
    task: str
    init: str | None = None
    seed: int
    label_fraction: float | None = None
    monitor: str = "val/loss"
    metrics: dict[str, float | None]
    tested_clips: int | None = None
    confusion: list[list[int]] | None = None
    video_confusion: list[list[int]] | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    best_epoch: int | None = None
    epochs: int | None = None
    fingerprints: Fingerprints
    loaded: dict[str, int] = field(default_factory=dict)
    pretraining: Origin | None = None
    data: str = ""
    classes: list[str] = field(default_factory=list)
    samples: dict[str, int] = field(default_factory=dict)
    fbm: str | None = None
    git: dict[str, Any] | None = None
    lock: str | None = None
    packages: str | None = None
    code: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    throughput: Mapping[str, float | None] = field(default_factory=dict)
    started: str | None = None
    seconds: float | None = None
    resumed: int = 0
    source: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def tested(self) -> bool:
        """Whether the best checkpoint was tested."""
        return any(name.startswith("test/") for name in self.metrics)

    @property
    def partial(self) -> str:
        """`80 of 141 clips` where the test left clips out (`trainer.limit_test_batches`), empty for a whole one."""
        clips = self.samples.get("test")
        if self.tested_clips is None or clips is None or self.tested_clips >= clips:
            return ""
        return f"{self.tested_clips} of {clips} clips"

    @classmethod
    def from_dict(cls, content: Any) -> "RunSummary":
        """From plain values. ValueError, in one line, where they do not fit."""
        summary = schema.from_plain(cls, content)
        known = {entry.name for entry in fields(cls)}
        return replace(summary, extra={key: value for key, value in content.items() if key not in known})

    @classmethod
    def from_json(cls, text: str | bytes) -> "RunSummary":
        """From the text of a file. ValueError, in one line, where it is damaged."""
        return cls.from_dict(json.loads(text))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the file."""
        content = asdict(self)
        extra: dict[str, Any] = content.pop("extra")
        return content | extra

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


def read_summary(folder: Path) -> RunSummary:
    """The summary of a finished run. UserError if it is damaged."""
    return read_validated(folder / SUMMARY, RunSummary.from_json, REMEDY)


def summary_if_finished(folder: Path) -> RunSummary | None:
    """A run's summary; None if it is unfinished. UserError if it is damaged."""
    return read_summary(folder) if (folder / SUMMARY).is_file() else None


def summary_if_whole(folder: Path) -> RunSummary | None:
    """A run's summary; None if it is unfinished or the summary is damaged."""
    try:
        return summary_if_finished(folder)
    except UserError:
        return None
