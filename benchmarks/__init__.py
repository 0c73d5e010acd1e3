"""How fast is it, against what else one would do and against what the machine allows? Each question is a command.

Every figure is measured in turn with its peers, several rounds in one run; what counts are ratios within a round.
"""

import argparse
import os
from pathlib import Path

from fbm.utils.errors import parsed

PARTS = ("disentangle", "autoencode", "classify")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 1")
    return number


def parser() -> argparse.ArgumentParser:
    """The command line of `python -m benchmarks`."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure fbm against its peers and against the machine. Prints tables, and writes all figures as "
        "JSON to outputs/benchmarks/QUESTION.json.",
        epilog="Nothing else should run on the machine meanwhile.",
    )
    questions = made.add_subparsers(dest="question", required=True, metavar="QUESTION")

    def question(name: str, what: str, rounds: int) -> argparse.ArgumentParser:
        asked = questions.add_parser(name, help=what, description=what)
        asked.add_argument("--rounds", type=_positive, default=rounds, metavar="N", help="(default: %(default)s)")
        asked.add_argument("--out", type=Path, metavar="FILE", help="JSON (default: outputs/benchmarks/QUESTION.json)")
        return asked

    clips = question("input", "clips/s of the loader from a store, and of decoders from the files", 3)
    clips.add_argument("--store", type=Path, required=True, help="made by fbm prepare")
    clips.add_argument("--root", type=Path, required=True, help="holds UCF-101/, the videos of the store")
    clips.add_argument("--batch", type=_positive, default=40, help="clips (default: %(default)s)")
    clips.add_argument(
        "--batches", type=_positive, default=100, help="of a round; decoders take fewer (default: %(default)s)"
    )

    prepared = question("prepare", "frames per CPU second of preparing, and of decoders alone", 3)
    prepared.add_argument("--root", type=Path, required=True, help="holds UCF-101/")
    prepared.add_argument("--files", type=_positive, default=60, help="spread over the data set (default: %(default)s)")
    prepared.add_argument("--size", type=_positive, default=128, help="of the frames, pixels (default: %(default)s)")

    step = question("step", "a training step against a bare loop, a straightforward program and its convolutions", 5)
    step.add_argument("--tasks", default=",".join(PARTS), metavar="A,B", help="(default: %(default)s)")
    step.add_argument("--steps", type=_positive, default=15, help="of a round, after three (default: %(default)s)")
    step.add_argument("--programs", default="ours,bare,plain,floor", metavar="A,B", help="(default: %(default)s)")
    step.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of fbm train")

    start = question("startup", "from the command to its help, and to the first training step", 5)
    start.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of fbm train, with a prepared store")

    growth = question("growth", "time and memory against the number of videos", 1)
    growth.add_argument("--times", default="1,4,16", metavar="N,N", help="the demo's data (default: %(default)s)")
    growth.add_argument("--open", type=_positive, default=13000, metavar="N", help="videos of a store that is opened")

    files = question("files", "clips/s from a store of more files than a process may open", 3)
    files.add_argument("--videos", type=_positive, default=5000, help="of two files each (default: %(default)s)")
    files.add_argument("--limit", type=_positive, default=256, help="of open files (default: %(default)s)")
    files.add_argument("--batch", type=_positive, default=40, help="clips (default: %(default)s)")

    shards = question("shards", "preparing a large data set by one command, and by several shards at once", 1)
    shards.add_argument("--videos", type=_positive, default=13000, help="links to a few (default: %(default)s)")
    shards.add_argument("--shards", type=_positive, default=8, metavar="N", help="(default: %(default)s)")
    shards.add_argument("--size", type=_positive, default=32, help="of the frames, pixels (default: %(default)s)")
    return made


def main(argv: list[str]) -> int:
    """Measure, print, write; 0 when done. UserError for what the user can fix."""
    asked = parsed(parser(), argv)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as for `fbm`; read when torch is imported
    # Imported here so that `--help` answers at once.
    from benchmarks.ask import ask

    ask(asked, argv)
    return 0
