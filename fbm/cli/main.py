"""`fbm COMMAND ...`: dispatch to the commands. Heavy imports are left to the command."""

import os
import pkgutil
import sys
from collections.abc import Callable

from fbm import __version__

USAGE = f"""fbm {__version__}: foreground, background and motion features of videos

usage: fbm COMMAND ...

  prepare   decode videos and masks into a frame store      fbm prepare data=ucf101 data.root=PATH
  train     pretrain an encoder, or classify from one       fbm train task=disentangle data=ucf101
  study     a declared comparison: every run it misses      fbm study demo
  analyse   what features hold, and classifiers look at     fbm analyse outputs/demo
  masks     what moves in any videos, as mask pictures      fbm masks VIDEOS --out masks
  extract   features of any videos through a checkpoint     fbm extract RUN VIDEOS --out features.npz
  predict   classes of any videos by a classification      fbm predict RUN VIDEOS
  runs      the runs of a folder, sorted and chosen         fbm runs --by val/clip_top1
  export    a run as safetensors, config and model card     fbm export RUN FOLDER
  report    run folders to Table 1, Figures 2 and 3, a page  fbm report outputs/demo
  diff      what differs between two runs                   fbm diff RUN_A RUN_B
  doctor    what is wrong with data, a store or the configs  fbm doctor data=ucf101 data.root=PATH

`fbm COMMAND --help` says what each one takes. prepare and train are Hydra applications: settings are KEY=VALUE,
-m runs every combination of KEY=A,B, --cfg job prints the config. Completion: eval "$(fbm -sc install=bash)"
"""
LAUNCHER_VARIABLES = {
    "TORCHELASTIC_RUN_ID",
    "SLURM_NTASKS",
    "NODE_RANK",
}  # set by torchrun, SLURM and users on several machines
COMMANDS = {  # the function of each command; prepare and train are Hydra applications instead
    "prepare": "",
    "train": "",
    "study": "fbm.study:main",
    "analyse": "fbm.evaluation.probing:main",
    "masks": "fbm.data.masks.command:main",
    "extract": "fbm.evaluation.extract:main",
    "predict": "fbm.evaluation.predict:main",
    "runs": "fbm.report.listing:main",
    "export": "fbm.evaluation.export:main",
    "report": "fbm.cli.report:main",
    "diff": "fbm.report.diff:main",
    "doctor": "fbm.cli.doctor:main",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; errors that a user can fix become one line and exit status 1."""
    # OpenMP threads that spin at barriers make a busy machine ten times slower; torch reads this when imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a lost rank is reported in one line, not by C++ frames
    os.environ.setdefault("WANDB_SILENT", "true")  # read when wandb is imported
    if "" not in sys.path and not sys.flags.safe_path:
        sys.path.append("")  # the user's own modules in the working directory, after installed ones
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in ("-sc", "--shell-completion"):
        from fbm.cli.completion import complete

        return complete(arguments, tuple(COMMANDS))
    from fbm.utils.messages import exit_status

    return exit_status(lambda: _run(arguments))


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(__version__)
        return 0
    from fbm.config.overrides import expand_home_word

    return _dispatch(arguments[0], [expand_home_word(word) for word in arguments[1:]])


def _dispatch(command: str, rest: list[str]) -> int:
    from fbm.config.overrides import check_not_renamed
    from fbm.utils.errors import UserError
    from fbm.utils.suggest import did_you_mean

    check_not_renamed(rest)
    if command == "prepare":
        if {"-m", "--multirun"} & set(rest):
            raise UserError(
                "fbm prepare takes no -m: one command prepares one store, in several jobs at once with "
                "prepare.shards=8 launcher=joblib"
            )
        from fbm.cli.jobs import prepare_job
        from fbm.cli.launch import launch

        return launch("prepare", prepare_job, rest)
    if command == "train":
        from fbm.cli.jobs import train_job
        from fbm.cli.launch import launch

        return _as_leader_or_follower(command, rest, lambda: launch("train", train_job, rest))
    if command == "bench":
        raise UserError("bench: benchmarks are not in the package any more: python -m benchmarks, in a checkout")
    if command not in COMMANDS:
        raise UserError(f"no such command {command!r}{did_you_mean(command, COMMANDS)}")
    run: Callable[[list[str]], int] = pkgutil.resolve_name(COMMANDS[command])
    if command == "study":
        return _as_leader_or_follower(command, rest, lambda: run(rest))
    return run(rest)


def _as_leader_or_follower(command: str, rest: list[str], lead: Callable[[], int]) -> int:
    """Call `lead`, unless a launcher has started several processes, of which only the first one calls it."""
    if not LAUNCHER_VARIABLES & os.environ.keys():
        return lead()
    from fbm.training.distributed.rendezvous import run_as_leader_or_follower

    return run_as_leader_or_follower(" ".join([command, *rest]), lead)
