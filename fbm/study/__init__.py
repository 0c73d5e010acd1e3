"""`fbm study`: run what is missing of a declared comparison, and report on it."""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.utils.errors import UserError, parsed
from fbm.utils.suggest import did_you_mean

if TYPE_CHECKING:
    from fbm.study.declared import StudySpec
    from fbm.study.job import Job
    from fbm.study.run import Failures

DESCRIPTION = """Run what is missing of a declared comparison, then analyse its encoders and report on it.
Finished runs are skipped, interrupted runs resumed, and runs in progress elsewhere awaited."""
EXAMPLES = """examples:
  fbm study demo                                     conf/sweep/demo.yaml
  fbm study experiments/table1 --dry-run             what it consists of, and what is done
  fbm study demo study=mine classify.over.seed=[0,1] its own keys, changed
  fbm study demo trainer.max_epochs=5                any other key: a setting of every run
"""
OWN = ("study", "launcher", "settings", "pretrain", "classify", "analyse", "bias", "report")  # keys of conf/study.yaml
HERE = (None, "joblib", "submitit_local")  # launchers whose runs are on this machine, and read its stores


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm study`."""
    made = argparse.ArgumentParser(
        prog="fbm study",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("name", nargs="?", metavar="NAME", help="a study of conf/sweep, or a folder with one in sweep/")
    made.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="keys of the study, or settings of every run")
    made.add_argument("--config-dir", type=Path, help="a folder of your own config groups, sweep/ among them")
    made.add_argument("--dry-run", action="store_true", help="print what would be run, and run nothing")
    return made


def main(argv: list[str]) -> int:
    """Run a study. UserError if a run of it failed."""
    asked = parsed(parser(), argv, mixed=True)
    from fbm.study.declared import builtin_studies, read, runs, unused
    from fbm.study.plan import plan

    if asked.name is None or "=" in asked.name:
        raise UserError(
            f"which study? There is {', '.join(builtin_studies())}, or name a folder with one in its sweep/"
        )
    own, launcher, each = _split_settings(asked.settings)
    if any(word.startswith("study=") for word in own) and not any("pretrain.study=" in word for word in own):
        own.append("pretrain.study=${study}")  # pretrained here too, even if the file shares weights with other studies
    declared, groups = read(asked.name, own, asked.config_dir)
    # Takes seconds to minutes.
    print(f"{declared.study}: composing and checking {runs(declared)} runs", file=sys.stderr, flush=True)
    jobs = plan(declared, each, groups)
    if left_out := unused(declared):
        print(f"{declared.study}: not pretrained, as no classification starts from it: {', '.join(left_out)}")
    if asked.dry_run:
        _print_plan(declared, jobs, asked.name)
        return 0
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that no worker is left
    try:
        failed = _run_and_report(declared, jobs, launcher, shlex.join(["fbm", "study", *argv]))
    finally:
        signal.signal(signal.SIGTERM, before)
    for folder, reason in failed.items():
        print(f"failed: {reason if reason.startswith(str(folder)) else f'{folder}: {reason}'}")
    if failed:
        rest = "; the others are done" if len(failed) < len(jobs) else ""
        raise UserError(f"{declared.study}: {len(failed)} of {len(jobs)} runs failed, named above{rest}")
    return 0


def _run_and_report(declared: "StudySpec", jobs: Sequence["Job"], settings: list[str], command: str) -> "Failures":
    from fbm.study.estimate import expected
    from fbm.study.launcher import Launcher
    from fbm.study.plan import check_stores, write_study
    from fbm.study.run import run

    launcher = Launcher(declared.launcher, declared.study, settings)
    left = [job for job in jobs if not job.finished]
    if declared.launcher in HERE:
        check_stores(left)
    folder = write_study(declared, jobs)
    stages = [f"{sum(job.stage == stage for job in jobs)} {stage}" for stage in ("pretrain", "classify")]
    print(
        f"{declared.study}: {len(jobs)} runs ({', '.join(stages)}), {len(jobs) - len(left)} finished, {len(left)} to "
        f"run{f' by launcher={declared.launcher}' if declared.launcher else ''}"
    )
    if cost := expected(declared, jobs):
        print(cost)
    failed = run(launcher, jobs) if left else {}
    _analyse(declared, jobs)
    if declared.report and any(job.stage == "classify" and job.finished for job in jobs):
        from fbm.report.console import print_report
        from fbm.report.make import make

        try:
            print_report(make([folder], folder / "report", command))
        except UserError as error:
            if not failed:
                raise
            print(f"not reported: {error}")
    return failed


def _analyse(declared: "StudySpec", jobs: Sequence["Job"]) -> None:
    """What the study asks for; what cannot be analysed is said, and the report is made all the same."""
    from fbm.evaluation.bias import analyse_bias
    from fbm.evaluation.probing import analyse

    for asked, stage, measure in (
        (declared.analyse, "pretrain", analyse),
        (declared.bias, "classify", analyse_bias),
    ):
        folders = [job.folder for job in jobs if job.stage == stage and job.finished]
        if asked and folders:
            try:
                measure(folders)
            except UserError as error:
                print(f"not analysed: {error}")


def _print_plan(declared: "StudySpec", jobs: Sequence["Job"], name: str) -> None:
    from fbm.study.estimate import expected, trial_command

    for job in jobs:
        state = "finished" if job.finished else "running" if job.running else "to run"
        print(f"{state:8}  {job.folder}{f'  (needs {job.needs})' if job.needs else ''}")
    print(f"{declared.study}: {len(jobs)} runs, {sum(job.finished for job in jobs)} finished")
    if cost := expected(declared, jobs) or trial_command(declared, name, jobs):
        print(cost)


def _split_settings(settings: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The study's own keys, its launcher's, and those of every run."""
    from fbm.config.messages import known_keys
    from fbm.config.overrides import check_hydra_folders

    check_hydra_folders(settings)
    own: list[str] = []
    launcher: list[str] = []
    each: list[str] = []
    known = {key.split(".")[0] for key in known_keys("train")}
    for setting in settings:
        key, equals, _ = setting.lstrip("+~").partition("=")
        head = key.split(".")[0].split("/")[0].split("@")[0]
        if not equals and not setting.startswith("~"):
            raise UserError(f"{setting!r} is not a setting: KEY=VALUE is expected (see `fbm study --help`)")
        if head not in {*known, *OWN, "hydra"} and not setting.startswith("+"):
            raise UserError(f"no such setting {key!r}{did_you_mean(head, (*known, *OWN))}")
        (own if head in OWN else launcher if head in ("hydra", "sweeper") else each).append(setting)
    return own, launcher, each
