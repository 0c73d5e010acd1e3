"""From a declared comparison to its jobs: settings, folders, and which run each needs."""

import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from fbm.config import check, composing, conf_dir
from fbm.errors import UserError
from fbm.files import in_use, write_text
from fbm.fingerprints import identify
from fbm.launch import explain
from fbm.run_folder import SUMMARY
from fbm.study.declared import Declared, axes

STUDY = "study.json"
PLAIN = re.compile(r"[A-Za-z_][\w./+-]*")  # words that Hydra's grammar takes without quotes
Combination = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of a study.

    Attributes:
        stage: "pretrain" or "classify".
        label: the initialisation that it makes, or starts from.
        values: what sets it apart from the other runs of its stage.
        overrides: of `fbm train`.
        folder: where the run is, or will be.
        identity: fingerprint of its settings.
        tested: whether it touches the test split.
        needs: the run folder that must be finished before.
    """

    stage: str
    label: str
    values: Combination
    overrides: tuple[str, ...]
    folder: Path
    identity: str
    tested: bool
    needs: Path | None = None

    @property
    def finished(self) -> bool:
        """Whether the run is there with these settings, and tested where it should be."""
        try:
            summary = json.loads((self.folder / SUMMARY).read_text())
            tested = any(name.startswith("test/") for name in summary["metrics"])
            return summary["fingerprints"]["run"] == self.identity and tested >= self.tested
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @property
    def running(self) -> bool:
        """Whether some process is at it now."""
        return in_use(self.folder)


def plan(declared: Declared, more: Sequence[str] = ()) -> list[Job]:
    """All jobs of a study, pretraining first. Every one is composed and checked before any is run.

    Args:
        more: settings of every job, put last.

    Raises:
        UserError: a setting is wrong, an initialisation is not pretrained here, or two jobs would share a folder.
    """
    declared = replace(declared, settings=[*declared.settings, *more])
    with composing():
        try:
            pretraining = _pretraining(declared)
            jobs = [*pretraining.values(), *_classification(declared, pretraining)]
        finally:
            HydraConfig.instance().cfg = None
    return _once(jobs)


def write_study(declared: Declared, jobs: Iterable[Job]) -> Path:
    """Leave `study.json` in the study's folder: what it consists of, for the report."""
    folder = Path("outputs") / declared.study
    rows = [
        {
            "folder": Path(os.path.relpath(job.folder, folder)).as_posix(),
            **{"stage": job.stage, "label": job.label, "values": job.values},
        }
        for job in jobs
    ]
    write_text(folder / STUDY, json.dumps({"name": declared.study, "jobs": rows}, indent=1) + "\n")
    return folder


def _pretraining(declared: Declared) -> dict[tuple[str, str], Job]:
    """The runs that weights come from, by initialisation and what they were made with."""
    stage, jobs = declared.pretrain, {}
    for init, own in stage.inits.items():
        for values in _combinations(axes(stage.over)):
            settings = [f"study={stage.study}", *stage.settings, *own, *_said(values), *declared.settings]
            jobs[init, _key(values)] = _job("pretrain", init, values, settings)
    return jobs


def _classification(declared: Declared, pretraining: Mapping[tuple[str, str], Job]) -> list[Job]:
    stage, shared = declared.classify, axes(declared.pretrain.over)
    over = axes(stage.over)
    if unmatched := sorted(set(shared) - set(over)):
        raise UserError(f"pretrain.over.{unmatched[0]} must be in classify.over too: which run would each start from?")
    jobs = []
    for values in _combinations(over):
        init = str(values.get("init", "random"))
        source = pretraining.get((init, _key({key: values[key] for key in shared})))
        if source is None and init in declared.pretrain.inits:
            there = ", ".join(f"{key}={value}" for key, value in values.items() if key in shared)
            raise UserError(f"classify.over has {there}, which pretrain.over has not: init={init} has no weights there")
        rest = {key: value for key, value in values.items() if key != "init"}
        start = _start(init, source) if source is not None else [f"init={init}"]
        settings = [f"study={declared.study}", *stage.settings, *start, *_said(rest), *declared.settings]
        jobs.append(_job("classify", init, values, settings, source.folder if source else None))
    return jobs


def _start(init: str, source: Job) -> list[str]:
    """The settings that start a classification from a run: the initialisation's own option, or the task's."""
    options = {path.stem: path.read_text() for path in (conf_dir() / "init").glob("*.yaml")}
    named = [] if init in options else [f"init.name={_text(init)}"]
    option = init if init in options else _option_for(source)
    return [f"init={option}", *named, f"init.checkpoint={_text(source.folder.as_posix())}"]


def _option_for(source: Job) -> str:
    task = _compose(source.overrides).task_name
    for path in sorted((conf_dir() / "init").glob("*.yaml")):
        if _compose([f"init={path.stem}"]).init.task == task:
            return path.stem
    raise UserError(f"no option of conf/init takes weights of a task={task} run ({source.folder})")


def _job(stage: str, label: str, values: Combination, settings: list[str], needs: Path | None = None) -> Job:
    overrides = (*settings, "callbacks.progress=null")  # the study shows its own
    config = _compose(overrides)
    content = check(config)
    return Job(stage, label, values, overrides, Path(content["run_dir"]), identify(content), content["test"], needs)


def _compose(overrides: Iterable[str]) -> DictConfig:
    try:
        config = hydra.compose("train", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error, "train")) from error
    HydraConfig.instance().set_config(config)  # a run's name follows from its overrides
    own = config.copy()
    with open_dict(own):
        del own["hydra"]
    return own


def _combinations(over: Mapping[str, list[Any]]) -> list[Combination]:
    return [dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())]


def _key(values: Combination) -> str:
    return json.dumps(values, sort_keys=True)


def _said(values: Combination) -> list[str]:
    return [f"{key}={_text(value)}" for key, value in values.items()]


def _text(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_text(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value)


def _once(jobs: Iterable[Job]) -> list[Job]:
    """Every run once; two different ones may not have the same folder."""
    found: dict[Path, Job] = {}
    for job in jobs:
        other = found.setdefault(job.folder, job)
        if other.identity != job.identity:
            raise UserError(
                f"{job.stage} {job.label} and {other.stage} {other.label} would both be {job.folder}: give one of "
                "them a name of its own, name=..., among its settings"
            )
    return list(found.values())
