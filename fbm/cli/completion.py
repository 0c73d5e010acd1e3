"""Tab completion of commands; Hydra completes the settings of prepare and train."""

import os
from collections.abc import Sequence

PATHS = (
    "study",
    "analyse",
    "masks",
    "extract",
    "predict",
    "runs",
    "export",
    "report",
    "diff",
)  # what their arguments are


def complete(arguments: list[str], commands: Sequence[str]) -> int:
    """Answer Hydra's completion script (`fbm -sc query=bash`), or print it (`fbm -sc install=bash`)."""
    from fbm.cli.jobs import prepare_job, train_job
    from fbm.cli.launch import launch
    from fbm.utils.messages import print_error

    line = os.environ.get("COMP_LINE", "")
    words = line.split() + [""] * line.endswith(" ")  # the last one is incomplete
    if arguments[-1].startswith("query"):
        if len(words) <= 2:
            print(" ".join(command for command in commands if command.startswith("".join(words[-1:]))))
            return 0
        if words[1] == "study" and len(words) == 3:
            from fbm.study.declared import builtin_studies

            print(" ".join(name for name in builtin_studies() if name.startswith(words[2])))
            return 0
        if words[1] in PATHS:
            return 0  # their arguments are paths, which the shell completes
    # Hydra completes the words after the program's name, so the command is made part of that name.
    os.environ["COMP_LINE"] = " ".join(["fbm", *words[2:]])
    command, job = ("train", train_job) if "train" in words[1:2] else ("prepare", prepare_job)
    try:
        return launch(command, job, arguments, program="fbm")
    except ValueError as error:  # neither query nor install
        print_error(str(error))
        return 1
