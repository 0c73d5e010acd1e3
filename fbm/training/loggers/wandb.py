"""Weights & Biases: online where there is a key, otherwise a file in the run folder that `wandb sync` sends."""

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

from fbm.runs.files import BEST, CHECKPOINTS
from fbm.runs.summary import RunSummary
from fbm.training.loggers.artifacts import model_artifact, use_artifact
from fbm.training.loggers.mirror import PARTIAL, FinishedRun, RunMirror, kept_id, kinds
from fbm.training.loggers.reach import why_away
from fbm.training.loggers.resumable import Row
from fbm.training.loggers.tables import confusion_table, per_class_table
from fbm.utils.errors import UserError
from fbm.utils.files import write_text

ID = "wandb_id"
REPLACED = "replaced"  # folder in W&B's
LONGEST_TAG = 64  # characters; W&B begins no run with a longer one
ONLINE, NOT_ONLINE = ("online", "run", "shared"), ("offline", "dryrun", "disabled")  # values of WANDB_MODE
TIMED_OUT = re.compile("timed out|deadline exceeded", re.IGNORECASE)  # in W&B's own words
given_up: dict[str, str] = {}  # servers that answered, and began no run in time: why they are not asked any more
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

    The run's id is kept in the run folder: whoever goes on in that folder goes on in that run. An agent of a W&B
    sweep gives id and project itself, in the environment.

    Args:
        folder: the run's; W&B's own folder lies in it.
        name, group, job_type, project, entity: see `wandb.init`.
        tags: beside the kinds of the run and those in WANDB_TAGS; the first 64 characters of each.
        offline: None is offline where there is no key or no server that answers; W&B's own WANDB_MODE goes before that.
            False ends a run that cannot be online.
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
        # In full: W&B writes from a process of its own, which stays in the folder that it was started in.
        self.folder, self.offline = Path(folder).absolute(), offline
        self.goes_on, self.ahead = False, 0  # rows that the server has and this process is still to tell
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
        """W&B's `Run`, begun when it is first asked for."""
        if self._experiment is None:
            self._experiment = self._begin()
            if self.goes_on:
                self._catch_up(self._experiment)
        return self._experiment

    def tell(self, metrics: Mapping[str, Any], step: int | None) -> None:
        run = self.experiment  # which may have to catch up first
        if self.ahead:
            self.ahead -= 1
        else:
            run.log({**metrics, **({} if step is None else {"trainer/global_step": step})})

    def go_on(self, rows: Sequence[Row]) -> None:
        """Online the server knows how many rows it has. An offline file cannot be gone on with: it is written anew."""
        super().go_on(rows)
        self.goes_on = True

    def _catch_up(self, run: Any) -> None:
        """Tell what the run has not been told of the earlier rows; notice what it was told beyond them."""
        there = 0 if run.offline else int(run.starting_step)
        for row in self.told[there:]:
            run.log({**row.metrics, "trainer/global_step": row.step})
        self.ahead = max(0, there - len(self.told))

    def _put_away(self) -> None:
        """Offline files of earlier processes: `wandb sync` would send their rows too."""
        replaced = self.folder / "wandb" / REPLACED
        for old in list((self.folder / "wandb").glob("offline-run-*")):
            replaced.mkdir(exist_ok=True)
            # Their names hold a second, in which two of them may have been begun.
            old.rename(next(path for number in count(1) if not (path := replaced / f"{number}-{old.name}").exists()))

    def _begin(self) -> Any:
        try:
            wandb.setup()
        except ValidationError as error:  # of a WANDB_ variable, or a settings file of W&B's
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            said = fault["msg"].removeprefix("Value error, ")
            raise UserError(f"W&B's setting {where}: {said} (see the WANDB_ variables)") from error
        known, chosen = kept_id(self.folder / ID), self._where_a_server_is(mode(self.offline))
        asked = {key: value for key, value in self._wandb_init.items() if key != "anonymous"}  # W&B warns of it
        asked |= {"id": known, "resume": "allow" if known else None, "reinit": "create_new"}
        if "WANDB_SWEEP_ID" in os.environ:
            asked |= {"id": None, "project": None, "entity": None}  # the sweep's
        if self.goes_on and chosen in NOT_ONLINE:
            self._put_away()
        run = self._started(asked, chosen)
        if not run.disabled:
            write_text(self.folder / ID, f"{run.id}\n")
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        return run

    def _where_a_server_is(self, chosen: Any) -> Any:
        """This mode, or offline where it needs a server and none answers."""
        if chosen in NOT_ONLINE:
            return chosen
        url = str(wandb.setup().settings.base_url)
        why = given_up.get(url) or why_away(url)
        return chosen if why is None else self._stay_here(url, why)

    def _stay_here(self, url: str, why: str) -> Any:
        if self.offline is False:
            raise UserError(
                f"W&B's server {url} does not answer ({why}): logger.wandb.offline=null goes on without it, "
                "logger.wandb.offline=true never asks"
            )
        later = f"`wandb sync {self.folder}/wandb/offline-run-*` sends the run later"
        print(f"W&B's server {url} does not answer ({why}): offline, {later}")
        return "offline"

    def _started(self, asked: dict[str, Any], chosen: Any) -> Any:
        try:
            return wandb.init(**asked, mode=chosen)
        except wandb.Error as error:
            if chosen in NOT_ONLINE or not TIMED_OUT.search(str(error)):
                raise UserError(f"W&B: {error}; logger.wandb.offline=true keeps the run local") from error
            # Somebody answers, but not what is asked: later runs of this process need not wait for it, too.
            url = str(wandb.setup().settings.base_url)
            given_up[url] = "it begins no run in time"
            return wandb.init(**asked, mode=self._stay_here(url, given_up[url]))

    def show(self, run: FinishedRun) -> None:
        for key, epoch, path in run.pictures:
            self.experiment.log({key: wandb.Image(str(path))} | ({} if epoch is None else {"epoch": epoch}))
        self._log_confusions(run.summary)
        if not run.again:
            self._tie(run)
        if run.partial:
            self.experiment.tags = (*self.experiment.tags, PARTIAL)
        content = run.summary.to_dict()
        self.experiment.summary.update({**run.summary.metrics, **{key: content[key] for key in SUMMARY_KEYS}})

    def _log_confusions(self, summary: RunSummary) -> None:
        for unit, counts in (("clip", summary.confusion), ("video", summary.video_confusion)):
            if counts is not None:
                for name, make in (("confusion", confusion_table), ("per_class", per_class_table)):
                    self.log_table(f"test/{unit}_{name}", *make(counts, summary.classes))

    def _tie(self, run: FinishedRun) -> None:
        """Lineage: the checkpoint that this run made, or the one that it started from."""
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
    """The `mode` for `wandb.init`; it never asks for a key, and goes to no network.

    Raises:
        UserError: to be online is asked for, but there is no key, or one that cannot be; or WANDB_MODE is no mode.
    """
    said = os.environ.get("WANDB_MODE") or None
    if said not in (None, *ONLINE, *NOT_ONLINE):
        raise UserError(f"WANDB_MODE={said}: it should be one of {', '.join((*ONLINE, *NOT_ONLINE))}")
    asked = {True: "offline", False: "online", None: said}[offline]
    if asked in NOT_ONLINE:
        return asked
    try:
        has_key = wandb.login(prompt=False, verify=False)
    except wandb.Error as error:
        raise UserError(f"W&B's key is refused: {error}; logger.wandb.offline=true needs none") from error
    if asked and not has_key:
        raise UserError("no W&B key: run `wandb login`, set WANDB_API_KEY, or choose logger.wandb.offline=true")
    return (asked or "online") if has_key else "offline"


def _environment_tags() -> list[str]:
    """Those of WANDB_TAGS, which W&B reads as well, and refuses for an empty or a long one: it finds them mended."""
    tags = [tag.strip()[:LONGEST_TAG] for tag in os.environ.get("WANDB_TAGS", "").split(",") if tag.strip()]
    os.environ.pop("WANDB_TAGS", None)
    if tags:
        os.environ["WANDB_TAGS"] = ",".join(tags)
    return tags
