"""`fbm extract`: features of any videos through a checkpoint, to npz or Parquet. Needs no frame store."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.evaluation.extract.options import PARTS, POOLS, Options, add_reading_options
from fbm.utils.errors import parsed

if TYPE_CHECKING:
    from fbm.evaluation.extract.run import ExtractionResult

__all__ = ["Options", "extract", "main", "parser"]


def extract(
    checkpoint: str | Path, inputs: Sequence[str | Path], out: str | Path, options: Options
) -> "ExtractionResult":
    """Features of every clip of every video, one row per clip, in the order of the inputs.

    Videos are decoded in child processes, so a script calls this under `if __name__ == "__main__":`. A finished
    video's features are kept in `OUT.parts/` until all are there: after an interruption the same call resumes.

    Args:
        checkpoint: a file, or the folder of a finished run.
        inputs: video files, folders (all files below are looked at by content, linked folders' too), or lists of files
            (.txt, .csv, .tsv, .lst), one a line, with or without a label.
        out: `.npz` or `.parquet`. Columns: `video` (as named by the inputs), `clip` (from 0), `start_frame` and
            `end_frame` (the first one after the clip), `start_seconds` and `end_seconds` (by the file's mean frame
            rate; nan where it states none), and `features` float32 `N D`, or with part="each" `motion`, `foreground`
            and `background`. `meta` (in Parquet the schema's metadata, key `fbm`) is JSON: where they come from.

    Raises:
        UserError: an input, the checkpoint or an option is invalid; a video cannot be read and is not to be
            skipped; `out` holds other features; another process is writing it.
    """
    from fbm.runs.locate import find_checkpoint

    find_checkpoint(Path(checkpoint))  # before torch is imported
    from fbm.evaluation.extract.run import extract as run

    return run(Path(checkpoint), [Path(place) for place in inputs], Path(out), options)


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm extract`."""
    made = argparse.ArgumentParser(
        prog="fbm extract",
        description="Features of videos through a trained encoder, one row per clip.",
        epilog="After an interruption the same command resumes: OUT.parts/ keeps finished videos until OUT is written.",
    )
    add, default = made.add_argument, Options()
    add("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint file or the folder of a finished run")
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="videos, folders of videos, lists of videos (.txt, .csv)")
    add("--out", type=Path, required=True, metavar="FILE", help="FILE.npz or FILE.parquet")
    add("--stride", type=int, metavar="N", help="frames between the starts of clips (default: those that a clip spans)")
    add("--part", choices=PARTS, default=default.part, help="of a disentangled feature; `each`: a column for each part")
    add("--pool", choices=POOLS, default=default.pool, help="mean over positions: C values per clip; none: C x h x w")
    add_reading_options(made)
    add("--skip-unreadable", action="store_true", help="skip unreadable videos; each is named")
    add("--overwrite", action="store_true", help="replace an OUT that holds other features")
    return made


def main(argv: list[str]) -> int:
    """Run `fbm extract`; 0 when done. UserError for what the user can fix."""
    from fbm.utils.machine import configure_malloc

    args = vars(parsed(parser(), argv))
    checkpoint, inputs, out = (args.pop(name) for name in ("checkpoint", "inputs", "out"))
    configure_malloc()
    print(extract(checkpoint, inputs, out, Options(**args)).summary)
    return 0
