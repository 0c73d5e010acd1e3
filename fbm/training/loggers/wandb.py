"""Weights & Biases: online where there is a key, otherwise a file in the run folder that `wandb sync` uploads."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import wandb
from lightning_fabric.loggers.logger import rank_zero_experiment
from pydantic import ValidationError

from fbm.runs.files import BEST, CHECKPOINTS, WANDB_ID
from fbm.runs.summary import RunSummary
from fbm.training.loggers.artifacts import model_artifact, use_artifact
from fbm.training.loggers.mirror import PARTIAL, FinishedRun, RunMirror, kinds, saved_run_id
from fbm.training.loggers.reach import unreachable_reason
from fbm.training.loggers.resumable import Row
from fbm.training.loggers.tables import confusion_table, per_class_table
from fbm.utils.errors import UserError
from fbm.utils.files import write_text

REPLACED = "replaced"  # folder in W&B's
LONGEST_TAG = 64  # characters; W&B rejects longer ones
ONLINE, NOT_ONLINE = ("online", "run", "shared"), ("offline", "dryrun", "disabled")  # values of WANDB_MODE
TIMED_OUT = re.compile("timed out|deadline exceeded", re.IGNORECASE)  # in messages of W&B
unresponsive: dict[str, str] = {}  # servers that answered but started no run in time, and why
# Of the run's summary, beside its metrics.
SUMMARY_KEYS = (
    "monitor",
    "best_epoch",
    "epochs",
    "fingerprints",
    "pretraining",
    "git",
    "samples",
    "throughput",
    "seconds",
    "resumed",
    "source",
    "tested_clips",
)


class WandbLogger(RunMirror, pl.loggers.WandbLogger):
    """One W&B run a job, with metrics, config, pictures, confusion tables, and the checkpoint as an artifact.

    The run's id is saved in the run folder, so a run that is resumed there continues the same W&B run. An agent of a
    W&B sweep sets id and project itself, in the environment.

    Args:
        folder: the run's; W&B's own folder lies in it.
        name, group, job_type, project, entity: see `wandb.init`.
        tags: beside the kinds of the run and those in WANDB_TAGS; the first 64 characters of each.
        offline: None is offline if there is no key or no server that answers, unless WANDB_MODE is set. False fails if
            the run cannot be online.
        carried: what the run's checkpoints carry.
        init: more for `wandb.init`.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        group: str,
        job_type: str,
        project: str = "fbm",
        entity: str | None = None,
        tags: Sequence[str] = (),
        offline: bool | None = None,
        carried: dict[str, Any] | None = None,
        **init: Any,
    ) -> None:
        named = [*kinds(carried or {}).values(), *tags, *_environment_tags()]
        every = list(dict.fromkeys(tag[:LONGEST_TAG] for tag in named if tag))
        # Absolute: W&B writes from a process of its own, with another working directory.
        self.folder = Path(folder).absolute()
        self.offline = offline
        self.resuming = False
        self.rows_to_skip = 0  # rows that this process will log and the server has already
        super().__init__(
            name,
            self.folder,
            project=project or "fbm",
            entity=entity or None,
            group=group,
            job_type=job_type,
            tags=every,
            **init,
        )

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """W&B's `Run`, started on first use."""
        if self._experiment is None:
            self._experiment = self._start_run()
            if self.resuming:
                self._backfill(self._experiment)
        return self._experiment

    def log_row(self, metrics: Mapping[str, Any], step: int | None) -> None:
        run = self.experiment  # may backfill first
        if self.rows_to_skip:
            self.rows_to_skip -= 1
        else:
            run.log({**metrics, **({} if step is None else {"trainer/global_step": step})})

    def replay(self, rows: Sequence[Row]) -> None:
        """Online, the server knows how many rows it has. An offline file cannot be continued: it is written again."""
        super().replay(rows)
        self.resuming = True

    def _backfill(self, run: Any) -> None:
        """Log rows that the server is missing; count the rows that it has beyond the history."""
        there = 0 if run.offline else int(run.starting_step)
        for row in self.history[there:]:
            run.log({**row.metrics, "trainer/global_step": row.step})
        self.rows_to_skip = max(0, there - len(self.history))

    def _archive_offline_runs(self) -> None:
        """Move away offline files of earlier processes: `wandb sync` would upload their rows too."""
        replaced = self.folder / "wandb" / REPLACED
        for old in list((self.folder / "wandb").glob("offline-run-*")):
            replaced.mkdir(exist_ok=True)
            # Their names hold the second they were created in, which two may share.
            old.rename(next(path for number in count(1) if not (path := replaced / f"{number}-{old.name}").exists()))

    def _start_run(self) -> Any:
        try:
            wandb.setup()
        except ValidationError as error:  # of a WANDB_ variable, or a settings file of W&B's
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            message = fault["msg"].removeprefix("Value error, ")
            raise UserError(f"W&B's setting {where}: {message} (see the WANDB_ variables)") from error
        known = saved_run_id(self.folder / WANDB_ID)
        chosen = self._reachable(mode(self.offline))
        settings = {key: value for key, value in self._wandb_init.items() if key != "anonymous"}  # W&B warns about it
        settings |= {"id": known, "resume": "allow" if known else None, "reinit": "create_new"}
        if "WANDB_SWEEP_ID" in os.environ:
            settings |= {"id": None, "project": None, "entity": None}  # the sweep's
        if self.resuming and chosen in NOT_ONLINE:
            self._archive_offline_runs()
        run = self._start(settings, chosen)
        if not run.disabled:
            write_text(self.folder / WANDB_ID, f"{run.id}\n")
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return run

    def _reachable(self, chosen: Any) -> Any:
        """The mode; offline if it needs a server and none answers."""
        if chosen in NOT_ONLINE:
            return chosen
        url = str(wandb.setup().settings.base_url)
        why = unresponsive.get(url) or unreachable_reason(url)
        return chosen if why is None else self._go_offline(url, why)

    def _go_offline(self, url: str, why: str) -> Any:
        if self.offline is False:
            raise UserError(
                f"W&B's server {url} does not answer ({why}): logger.wandb.offline=null continues without it, "
                "logger.wandb.offline=true never connects"
            )
        later = f"`wandb sync {self.folder}/wandb/offline-run-*` sends the run later"
        print(f"W&B's server {url} does not answer ({why}): offline, {later}")
        return "offline"

    def _start(self, settings: dict[str, Any], chosen: Any) -> Any:
        try:
            return wandb.init(**settings, mode=chosen)
        except wandb.Error as error:
            if chosen in NOT_ONLINE or not TIMED_OUT.search(str(error)):
                raise UserError(f"W&B: {error}; logger.wandb.offline=true keeps the run local") from error
            # Something answers, but starts no run: later runs of this process do not wait for it.
            url = str(wandb.setup().settings.base_url)
            unresponsive[url] = "it starts no run in time"
            return wandb.init(**settings, mode=self._go_offline(url, unresponsive[url]))

    def log_run(self, run: FinishedRun) -> None:
        for key, epoch, path in run.pictures:
            self.experiment.log({key: wandb.Image(str(path))} | ({} if epoch is None else {"epoch": epoch}))
        self._log_confusions(run.summary)
        if not run.again:
            self._log_lineage(run)
        if run.summary.partial:
            self.experiment.tags = (*self.experiment.tags, PARTIAL)
        content = run.summary.to_dict()
        self.experiment.summary.update({**run.summary.metrics, **{key: content[key] for key in SUMMARY_KEYS}})

    def _log_confusions(self, summary: RunSummary) -> None:
        for unit, counts in (("clip", summary.confusion), ("video", summary.video_confusion)):
            if counts is not None:
                for name, make in (("confusion", confusion_table), ("per_class", per_class_table)):
                    self.log_table(f"test/{unit}_{name}", *make(counts, summary.classes))

    def _log_lineage(self, run: FinishedRun) -> None:
        """Log lineage: the checkpoint that this run made, or the one that it started from."""
        summary = run.summary
        if summary.pretraining and run.source:
            origin = summary.pretraining
            use_artifact(self.experiment, model_artifact(run.source, origin.study, origin.run, asdict(origin)))
        if summary.job_type == "pretrain":
            content = summary.to_dict()
            metadata = {key: content[key] for key in ("task", "seed", "fingerprints", "metrics")}
            best = run.folder / CHECKPOINTS / BEST
            self.experiment.log_artifact(model_artifact(best, summary.study, summary.run, metadata))

    def close(self, failed: bool) -> None:
        if self._experiment is not None:
            self._experiment.finish(exit_code=int(failed))


def mode(offline: bool | None) -> Any:
    """The `mode` for `wandb.init`. Never prompts for a key, and makes no request.

    Raises:
        UserError: online mode is required and there is no valid key; or WANDB_MODE is invalid.
    """
    variable = os.environ.get("WANDB_MODE") or None
    if variable not in (None, *ONLINE, *NOT_ONLINE):
        raise UserError(f"WANDB_MODE={variable}: it should be one of {', '.join((*ONLINE, *NOT_ONLINE))}")
    chosen = {True: "offline", False: "online", None: variable}[offline]
    if chosen in NOT_ONLINE:
        return chosen
    try:
        has_key = wandb.login(prompt=False, verify=False)
    except wandb.Error as error:
        raise UserError(f"W&B rejects the key: {error}; logger.wandb.offline=true needs none") from error
    if chosen and not has_key:
        raise UserError("no W&B key: run `wandb login`, set WANDB_API_KEY, or choose logger.wandb.offline=true")
    return (chosen or "online") if has_key else "offline"


def _environment_tags() -> list[str]:
    """The tags of WANDB_TAGS; the variable is cleaned, since W&B reads it too and rejects empty and long tags."""
    tags = [tag.strip()[:LONGEST_TAG] for tag in os.environ.get("WANDB_TAGS", "").split(",") if tag.strip()]
    os.environ.pop("WANDB_TAGS", None)
    if tags:
        os.environ["WANDB_TAGS"] = ",".join(tags)
    return tags
