"""What a pretrained encoder's features hold: probes of their parts, and pictures with the parts swapped."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.evaluation.probing.settings import RESAMPLES, Settings
from fbm.utils.errors import parsed

if TYPE_CHECKING:
    from fbm.evaluation.probing.work import Analysed


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm analyse`."""
    made = argparse.ArgumentParser(
        prog="fbm analyse",
        description="Probe what the features of pretraining runs hold (RUN/probes.json) and draw swaps of their parts "
        "(RUN/gallery/swap-*.png). What was done before is not done again.",
    )
    made.add_argument("paths", nargs="+", type=Path, metavar="RUN", help="a pretraining run, or a study: all of its")
    made.add_argument("--store", type=Path, metavar="PATH", help="the frame store (default: the one a run names)")
    made.add_argument("--resamples", type=int, default=RESAMPLES, metavar="N", help="of the intervals (%(default)s)")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of the resampling (%(default)s)")
    made.add_argument("--overwrite", action="store_true", help="also what was done before, anew")
    return made


def analyse(paths: Sequence[Path], settings: Settings | None = None) -> "list[Analysed]":
    """Probe every pretraining run among or in `paths` and draw its swaps, where that was not done before.

    Args:
        paths: finished pretraining runs, or studies that hold some.

    Raises:
        UserError: a path, a run or its store does not allow it.
    """
    from fbm.evaluation.probing.runs import pretraining_runs
    from fbm.evaluation.probing.work import analyse_run

    folders = dict.fromkeys(folder for path in paths for folder in pretraining_runs(path))
    return [analyse_run(folder, settings or Settings()) for folder in folders]


def main(argv: list[str]) -> int:
    """Analyse and print a table a run; 0 when done. UserError for what the user can mend."""
    asked = parsed(parser(), argv)
    settings = Settings(asked.resamples, asked.seed, asked.store, asked.overwrite)
    # Imported here so that `--help` answers at once.
    from fbm.evaluation.probing.table import tell
    from fbm.utils.machine import configure_malloc

    configure_malloc()
    tell(analyse(asked.paths, settings))
    return 0
