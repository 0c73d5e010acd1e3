"""What a `summary.json` says, as dataclasses. Keys that older runs lack have defaults."""

from dataclasses import dataclass, field
from typing import Any

CLIP, VIDEO = "test/clip_top1", "test/video_top1"


@dataclass(frozen=True)
class Fingerprints:
    """Hashes of what a run depended on: `config` leaves out the seed, `comparison` the initialisation too.

    `config` holds the config fingerprint of the pretraining run, so runs from unlike pretrainings differ in it.
    """

    config: str
    comparison: str
    data: str


@dataclass(frozen=True)
class Origin:
    """The pretraining run whose encoder a run started from; `folder` as in `init.checkpoint`."""

    folder: str = ""
    study: str = ""
    run: str = ""
    seed: int | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Summary:
    """A `summary.json`, as the training spine writes it; unknown keys are ignored.

    Attributes:
        confusion: C x C counts of test clips, rows true class, columns predicted, in the order of `classes`.
        video_confusion: the same over test videos.
        monitor: the metric by which the best checkpoint was chosen; older summaries do not say it.
        pretraining: the run whose encoder this one started from; None for none, and in older summaries.
        label_fraction: share of the labelled training groups, in 0..1; None in older summaries (`Run.label_fraction`).
        tested_clips: how many test clips were measured, of `samples["test"]`; None without a test, and in older
            summaries (`Run.tested_clips`).
        lock, packages: 16 hex digits of SHA-256 of requirements.lock and of all installed distributions.
    """

    run: str
    task: str
    seed: int
    metrics: dict[str, float | None]
    fingerprints: Fingerprints
    init: str | None = None
    study: str = ""
    monitor: str = "val/loss"
    epochs: int | None = None
    data: str = ""
    classes: list[str] = field(default_factory=list)
    samples: dict[str, int] = field(default_factory=dict)
    git: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    throughput: dict[str, float | None] = field(default_factory=dict)
    seconds: float | None = None
    confusion: list[list[int]] | None = None
    video_confusion: list[list[int]] | None = None
    pretraining: Origin | None = None
    label_fraction: float | None = None
    tested_clips: int | None = None
    job_type: str | None = None
    lock: str | None = None
    packages: str | None = None
