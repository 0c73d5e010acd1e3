"""Tab completion: Hydra completes one program's settings, ours has a sub-command before them."""

import os

from fbm.cli import COMMANDS


def complete(arguments: list[str]) -> int:
    """Answer Hydra's completion script (`fbm -sc query=bash`), or print it (`fbm -sc install=bash`)."""
    from fbm.jobs import prepare_job, train_job
    from fbm.launch import launch

    words = os.environ.get("COMP_LINE", "").split(" ")
    if len(words) <= 2 and arguments[-1].startswith("query"):
        print(" ".join(command for command in COMMANDS if command.startswith(words[-1])))
        return 0
    # Hydra takes what stands behind the program's name: let the sub-command be part of that name.
    os.environ["COMP_LINE"] = " ".join(["fbm", *words[2:]])
    command, job = ("prepare", prepare_job) if "prepare" in words[1:2] else ("train", train_job)
    return launch(command, job, arguments, program="fbm")
