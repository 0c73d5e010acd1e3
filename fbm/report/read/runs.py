"""Run folders on disk -> `Run`: finding them, reading their files, refusing what cannot be reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fbm.report.labels import printable, protocol_of
from fbm.report.read.files import curve, is_run, read_config, read_metrics, run_folders
from fbm.report.read.progress import state
from fbm.report.read.study import Job, Missing, read_study
from fbm.runs.bias import BiasReport, read_bias
from fbm.runs.files import SUMMARY
from fbm.runs.probes import ProbeReport, read_probes
from fbm.runs.summary import RunSummary, read_summary
from fbm.utils.errors import UserError
from fbm.utils.files import shown

CLIP, VIDEO = "test/clip_top1", "test/video_top1"
VAL, TRAIN = "val/clip_top1", "train/top1"
FITTED = 0.90  # of TRAIN, from which on a run has fitted its training clips
NAMED = 5  # folders named in one error line


@dataclass(frozen=True)
class Run:
    """One finished run: its folder, what its summary says, and what a study declared of it: its values and its name.

    Its other files are read when they are first asked for, and once.
    """

    path: Path
    summary: RunSummary
    declared: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def where(self) -> str:
        """The folder relative to the working directory."""
        return shown(self.path)

    @property
    def init(self) -> str:
        """The initialisation's name."""
        return self.summary.init or "unnamed"

    @property
    def label_fraction(self) -> float | None:
        """Share of the labelled training groups in 0..1, by the summary or else by the config; None if unknown."""
        fraction = self.summary.label_fraction
        if fraction is None:
            fraction = (self.config.get("data") or {}).get("label_fraction")
        return None if fraction is None else float(fraction)

    @property
    def origin(self) -> str | None:
        """STUDY/RUN of the pretraining that the encoder is from; in older runs its checkpoint; None for none."""
        start = self.summary.pretraining
        if start is not None:
            return f"{start.study}/{start.run}" if start.run else start.folder
        checkpoint = (self.config.get("init") or {}).get("checkpoint")
        return None if checkpoint is None else str(checkpoint)

    @property
    def pretrained_on(self) -> str:
        """The data of the pretraining that the encoder is from where they are other than the run's own, else empty."""
        start = self.summary.pretraining
        return start.data if start and start.data and start.data != self.summary.data else ""

    @property
    def protocol(self) -> str:
        """FINE_TUNED, or LINEAR where the encoder is frozen."""
        return protocol_of((self.config.get("task") or {}).get("encoder_gradient", 1.0))

    @property
    def tested_clips(self) -> int | None:
        """How many test clips were measured, by the summary or else by its confusions; None if unknown."""
        clips, counts = self.summary.tested_clips, self.summary.confusion
        return sum(map(sum, counts)) if clips is None and counts else clips

    @property
    def partial(self) -> str:
        """`80 of 141 test clips (1 of 2 classes)` where the test left clips out, empty where it did not."""
        tested, clips = self.tested_clips, self.summary.samples.get("test")
        if tested is None or clips is None or tested >= clips:
            return ""
        counts = self.summary.confusion or []
        there, classes = sum(sum(row) > 0 for row in counts), len(counts)
        return f"{tested} of {clips} test clips" + (f" ({there} of {classes} classes)" if there < classes else "")

    @property
    def split(self) -> str:
        """The official split of its data (`data.split`), empty where they have none."""
        split = (self.config.get("data") or {}).get("split")
        return "" if split is None else str(split)

    @property
    def comparison(self) -> str:
        """What runs must have in common to be compared: all of the config but the initialisation, and the test."""
        return " ".join(filter(None, (self.summary.fingerprints.comparison, self.partial)))

    def accuracy(self, metric: str) -> float | None:
        """One accuracy of the summary, None if it was not measured. UserError unless it is in 0..1."""
        value = self.summary.metrics.get(metric)
        if value is not None and not 0 <= value <= 1:  # also refuses nan
            raise UserError(f"{self.where}/summary.json: {metric} is {value}, not in 0..1. Train again.")
        return value

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config. UserError if it is damaged."""
        return read_config(self.path)

    @cached_property
    def probes(self) -> ProbeReport | None:
        """What `fbm analyse` measured; None if it did not. UserError if it is damaged."""
        return read_probes(self.path)

    @cached_property
    def bias(self) -> BiasReport | None:
        """What `fbm analyse --bias` measured; None if it did not. UserError if it is damaged."""
        return read_bias(self.path)

    @cached_property
    def settings(self) -> dict[str, str]:
        """The config as rows are named by it, see `printable`."""
        return printable(self.config)

    def curve(self, column: str) -> dict[int, float]:
        """A column of metrics.csv by epoch, see `fbm.report.read.files.curve`."""
        return curve(self.path, self._metrics, column)

    @cached_property
    def _metrics(self) -> list[dict[str, str]]:
        return read_metrics(self.path)

    @property
    def fitted_epoch(self) -> int | None:
        """First epoch whose training accuracy is at least FITTED; None if it never is."""
        return next((epoch for epoch, value in self.curve(TRAIN).items() if value >= FITTED), None)


@dataclass(frozen=True)
class RunSet:
    """What lies under the given paths.

    Attributes:
        runs: finished ones.
        missing: what a study declares and is not finished; elsewhere, folders of runs that never wrote a summary.
        others: runs in a study's folder that the study does not declare; they are not read.
    """

    runs: tuple[Run, ...]
    missing: tuple[Missing, ...] = ()
    others: int = 0

    def of(self, *tasks: str) -> tuple[Run, ...]:
        """The finished runs of these tasks."""
        return tuple(run for run in self.runs if run.summary.task in tasks)

    @property
    def progress(self) -> str:
        """`3 of 7 runs are finished, 2 running`."""
        running = sum(state(run.path) == "running" for run in self.missing)
        return f"{len(self.runs)} of {len(self.runs) + len(self.missing)} runs are finished, {running} running"


def find(paths: Sequence[Path], none_finished: bool = False) -> RunSet:
    """All runs of the studies and at or below the other paths, each once.

    Args:
        none_finished: whether it is enough that there are runs, finished or not.

    Raises:
        UserError: a path is missing, there is no run or no finished one, a file is damaged, or there are two data sets.
    """
    wanted: dict[Path, Job | None] = {}
    others: set[Path] = set()
    for path in paths:
        if not path.is_dir():
            raise UserError(f"{path}: no such folder. Name a study (outputs/demo) or run folders inside one.")
        declared, here = read_study(path.resolve()), run_folders(path.resolve())
        for folder in here if declared is None else declared:
            wanted[folder] = wanted.get(folder) or (declared or {}).get(folder)
        others.update(() if declared is None else set(here) - set(declared))
    if not wanted:
        names = ", ".join(map(str, paths))
        raise UserError(f"{names}: no run found (no folder with a config.yaml). Train first.")
    finished = [folder for folder in wanted if (folder / SUMMARY).exists()]
    missing = tuple(Missing(folder, is_run(folder), job) for folder, job in wanted.items() if folder not in finished)
    if not finished and not none_finished:
        named = [f"{shown(run.path)} ({run.state})" for run in missing[:NAMED]]
        named += [f"{len(missing) - NAMED} more"] if len(missing) > NAMED else []
        raise UserError(
            f"no run is finished: {', '.join(named)}. Run the command that started them (`fbm study` or `fbm train`) "
            "again, then report."
        )
    jobs = ((folder, wanted[folder]) for folder in sorted(finished))
    runs = tuple(Run(folder, read_summary(folder), *((job.values, job.label) if job else ())) for folder, job in jobs)
    _check_one_data_set([run for run in runs if run.summary.task == "classify"])
    return RunSet(runs, missing, len(others - set(wanted)))


def _check_one_data_set(classified: Sequence[Run]) -> None:
    """UserError for classifications on two data sets: they are no comparison. Official splits of one are.

    An encoder may have been pretrained on other data.
    """
    if len({run.summary.fingerprints.data for run in classified}) < 2:
        return
    by_split: dict[str, Run] = {}
    for run in classified:
        other = by_split.setdefault(run.split, run)
        of_split = run.summary.fingerprints.data == other.summary.fingerprints.data
        first = classified[0]
        of_data = (run.summary.data, run.summary.classes) == (first.summary.data, first.summary.classes)
        if not (of_split and of_data):
            known = first if of_split else other
            raise UserError(
                f"two data sets among the runs: {known.where} ({known.summary.data}) and {run.where} "
                f"({run.summary.data}) have different data fingerprints. Report on one data set at a time."
            )
