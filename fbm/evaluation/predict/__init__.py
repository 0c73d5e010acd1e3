"""`fbm predict`: classes of any videos by a trained classifier. Needs no frame store."""

import argparse
import os
from pathlib import Path

from fbm.evaluation.extract.options import Options, add_reading_options
from fbm.utils.errors import UserError, parsed


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm predict`."""
    made = argparse.ArgumentParser(
        prog="fbm predict",
        description="Classes of videos with their probabilities: the mean over a video's clips, as the test counts it.",
    )
    add = made.add_argument
    add("run", type=Path, metavar="RUN", help="a finished classification, or a folder that fbm export wrote")
    add("inputs", nargs="+", type=Path, metavar="VIDEO", help="videos, folders of videos, lists of videos (.txt, .csv)")
    add("--top", type=int, default=3, metavar="K", help="classes a video, the most probable (default: %(default)s)")
    add("--csv", type=Path, metavar="FILE", help="write a row for each video and class there instead of a table")
    add_reading_options(made)
    add("--skip-unreadable", action="store_true", help="exit with 0 even if videos are unreadable; each is named")
    return made


def _check_csv(file: Path) -> None:
    """Reject an impossible file before any work."""
    if file.is_dir():
        raise UserError(f"{file} is a folder; choose another --csv")
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise UserError(f"{file} cannot be written: {folder} is no folder to write to; choose another --csv")


def main(argv: list[str]) -> int:
    """Run `fbm predict`; 0 when done. UserError for what the user can fix, unreadable videos among it."""
    args = vars(parsed(parser(), argv))
    run, inputs, top, csv = (args.pop(name) for name in ("run", "inputs", "top", "csv"))
    if top < 1:
        raise UserError(f"--top {top}: it should be a number of classes, at least 1")
    if csv is not None:
        _check_csv(csv)
    from fbm.evaluation.finished import read_results

    read_results(run)  # before torch is imported
    from fbm.evaluation.predict.run import predict
    from fbm.utils.machine import configure_malloc

    configure_malloc()
    predict(run, inputs, top, csv, Options(**args))
    return 0
