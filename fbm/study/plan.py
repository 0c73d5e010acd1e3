"""Plan the jobs of a declared comparison: settings, folders, and dependencies."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fbm.config.compose import composing, conf_dir
from fbm.config.instantiate import build, check_run
from fbm.config.keys import flatten
from fbm.config.naming import sweep_setting
from fbm.config.overrides import expand_home, text
from fbm.runs.files import STUDY
from fbm.runs.fingerprints import identify
from fbm.study.declared import Source, StudySpec, Values, combinations, explain_error, grid, key_of, source_of, sources
from fbm.study.job import Combination, Job
from fbm.utils.errors import UserError
from fbm.utils.files import write_text


def plan(declared: StudySpec, more: Sequence[str] = (), own: Path | None = None) -> list[Job]:
    """All jobs of a study, pretraining first. Every one is composed and checked before any is run.

    A declared pretraining that no classification starts from is none of them.

    Args:
        more: settings of every job, put last.
        own: a folder of additional config groups.

    Raises:
        UserError: a setting is wrong, an initialisation has no weights or unsuitable ones, or two jobs would share a
            folder.
    """
    search = [f"hydra.searchpath=[file://{own.resolve()}]"] if own else []
    if "trainer=debug" in more:
        declared = _unlimited(declared)
    declared = replace(declared, settings=[*search, *declared.settings, *more])
    options = sorted({path.stem for folder in (conf_dir(), own) if folder for path in (folder / "init").glob("*.yaml")})
    with composing():
        try:
            pretraining = _pretraining(declared)
            first = {init: job for (init, _), job in pretraining.items()}  # any of an initialisation's
            starts = {init: _start(init, job, search, options) for init, job in first.items()}
            jobs = [*pretraining.values(), *_classification(declared, pretraining, starts)]
        finally:
            HydraConfig.instance().cfg = None
    return _once(jobs)


def check_stores(jobs: Iterable[Job]) -> None:
    """Open the data of these runs, so that a store that cannot be used is found before the first one starts.

    Raises:
        UserError: names the run and what is wrong with its store.
    """
    opened: set[str] = set()
    for job in jobs:
        module = job.content["data"]["module"]
        key = json.dumps(module, sort_keys=True, default=str)
        if key in opened:
            continue
        opened.add(key)
        try:
            build(module, seed=job.content["seed"])
        except UserError as error:
            raise UserError(f"{job.folder} cannot be run: {error}") from error


def _unlimited(declared: StudySpec) -> StudySpec:
    """The study without settings of a run's length, so that a debug run is as short in a study as alone."""
    keys = {f"trainer.{key!s}" for key in OmegaConf.load(conf_dir() / "limits" / "debug.yaml")}

    def left(settings: Sequence[str]) -> list[str]:
        return [setting for setting in settings if setting.lstrip("+").partition("=")[0] not in keys]

    inits = {init: left(settings) for init, settings in declared.pretrain.inits.items()}
    return replace(
        declared,
        settings=left(declared.settings),
        pretrain=replace(declared.pretrain, settings=left(declared.pretrain.settings), inits=inits),
        classify=replace(declared.classify, settings=left(declared.classify.settings)),
    )


def write_study(declared: StudySpec, jobs: Iterable[Job]) -> Path:
    """Write `study.json`, the list of its runs, into the study's folder, for the report."""
    folder = Path("outputs") / declared.study
    rows = [
        {
            "folder": Path(os.path.relpath(job.folder, folder)).as_posix(),
            "stage": job.stage,
            "label": job.label,
            "values": job.values,
        }
        for job in jobs
    ]
    write_text(folder / STUDY, json.dumps({"name": declared.study, "jobs": rows}, indent=1) + "\n")
    return folder


def _pretraining(declared: StudySpec) -> dict[Source, Job]:
    """The pretraining runs that a classification starts from."""
    stage, jobs = declared.pretrain, {}
    over, needed = grid(stage.over), sources(declared)
    for init, own in stage.inits.items():
        _check_not_overruled("pretrain", over, [*stage.settings, *own, *declared.settings])
        for values in combinations(over):
            key = key_of(init, values)
            if key in needed:
                given = [*stage.settings, *own, *_settings(values), *declared.settings]
                settings = [f"study={text(stage.study)}", *_sweep(over), *given]
                jobs[key] = _job("pretrain", init, values, settings)
    return jobs


def _classification(
    declared: StudySpec, pretraining: Mapping[Source, Job], starts: Mapping[str, list[str]]
) -> list[Job]:
    """The runs that are compared; `starts` has the settings of each initialisation that is pretrained here."""
    stage, shared = declared.classify, grid(declared.pretrain.over)
    over = grid(stage.over)
    _check_not_overruled("classify", over, [*stage.settings, *declared.settings])
    jobs = []
    for values in combinations(over):
        init, _ = key = source_of(values, shared)
        weights = pretraining.get(key)
        if weights is None and init in declared.pretrain.inits:
            there = ", ".join(f"{key}={value}" for key, value in values.items() if key in shared)
            raise UserError(f"classify.over has {there}, which pretrain.over has not: init={init} has no weights there")
        rest = {key: value for key, value in values.items() if key != "init"}
        start = [f"init={text(init)}"]
        if weights is not None:
            start = [*starts[init], f"init.checkpoint={text(weights.folder.as_posix())}"]
        given = [*stage.settings, *start, *_settings(rest), *declared.settings]
        settings = [f"study={text(declared.study)}", *_sweep(over), *given]
        jobs.append(_job("classify", init, values, settings, weights))
    return jobs


def _check_not_overruled(stage: str, over: Values, settings: Iterable[str]) -> None:
    """UserError for a setting of all runs that would override a key of `over`, or be overridden by a study's own."""
    keys = {setting.lstrip("+~").partition("=")[0] for setting in settings}
    if stage == "classify" and "init" in keys - set(over):
        raise UserError("init among the settings of all runs: name initialisations in classify.over.init=[...]")
    if both := sorted(keys & set(over)):
        raise UserError(f"{stage}.over varies {both[0]}, so it is not for all runs: {stage}.over.{both[0]}=[...]")


def _start(init: str, source: Job, search: list[str], options: Sequence[str]) -> list[str]:
    """The settings that take an initialisation from such a run: its own option, or the task's under its name."""
    if init in options:
        return [f"init={init}"]
    return [f"init={_option_for(source, search, options)}", f"init.name={text(init)}"]


def _option_for(source: Job, search: list[str], options: Sequence[str]) -> str:
    for option in options:
        if _compose([*search, f"init={option}"]).init.task == source.content["task_name"]:
            return option
    raise UserError(f"no option of conf/init takes weights of a task={source.content['task_name']} run")


def _job(stage: str, label: str, values: Combination, settings: list[str], source: Job | None = None) -> Job:
    overrides = (*settings, "callbacks.progress=null")  # the study shows its own
    content = check_run(_compose(overrides))
    if stage == "classify":
        _check_weights_fit(label, content, source)
    needs = source.folder if source else None
    return Job(stage, label, values, overrides, Path(content["run_dir"]), identify(content), content, needs)


def _check_weights_fit(label: str, content: dict[str, Any], source: Job | None) -> None:
    """Check what would otherwise fail only after the pretraining."""
    expected = content["init"]["task"]
    if source is None:
        if expected is not None and content["init"]["checkpoint"] is None:
            raise UserError(f"init={label} has nothing to start from: pretrain.inits.{label}=[...], or init.checkpoint")
        return
    made_by = source.content["task_name"]
    if made_by != expected:
        raise UserError(
            f"pretrain.inits.{label} trains task={made_by}, but init={label} is of task={expected}: give the "
            "initialisation another name"
        )
    ours, theirs = flatten(content["encoder"]), flatten(source.content["encoder"])
    if unlike := sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)):
        key = unlike[0]
        raise UserError(
            f"init={label} is pretrained with encoder.{key}={theirs.get(key)}, its classification has "
            f"{ours.get(key)}: set it in the settings of every run"
        )


def _compose(overrides: Iterable[str]) -> DictConfig:
    try:
        config = hydra.compose("train", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:  # ValueError: a group's value is not a string
        raise UserError(explain_error(error, "train")) from error
    HydraConfig.instance().set_config(config)  # a run's name follows from its overrides
    expand_home(config)
    own = config.copy()
    with open_dict(own):
        del own["hydra"]
    return own


def _settings(values: Combination) -> list[str]:
    return [f"{key}={text(value)}" for key, value in values.items()]


def _sweep(over: Values) -> list[str]:
    """The setting that puts all varied keys into the names of the runs."""
    return sweep_setting(key for key, values in over.items() if len(values) > 1)


def _once(jobs: Iterable[Job]) -> list[Job]:
    """Every run once; UserError if two different ones have the same folder."""
    found: dict[Path, Job] = {}
    for job in jobs:
        other = found.setdefault(job.folder, job)
        if other.identity != job.identity:
            raise UserError(
                f"{job.stage} {job.label} and {other.stage} {other.label} would both be {job.folder}: give one of "
                "them a name of its own, name=..., among its settings"
            )
    return list(found.values())
