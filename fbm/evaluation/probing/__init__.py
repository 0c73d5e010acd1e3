"""`fbm analyse`: probes, scores, retrieval and swaps of pretrained features; with `--bias` what classifiers look at."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fbm.evaluation.probing.settings import RESAMPLES, Settings
from fbm.utils.errors import parsed

if TYPE_CHECKING:
    from fbm.evaluation.probing.run import AnalysedRun


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm analyse`."""
    made = argparse.ArgumentParser(
        prog="fbm analyse",
        description="Probe the features of pretraining runs, score how disentangled their parts are, retrieve videos "
        "by them (RUN/probes.json), and draw swaps of their parts (RUN/gallery/swap-*.png). With --bias: test "
        "classification runs on clips without background, without foreground, on other backgrounds and without motion "
        "(RUN/bias.json). Runs that were analysed before are skipped.",
    )
    made.add_argument("paths", nargs="+", type=Path, metavar="RUN", help="a finished run, or a study: all of its")
    made.add_argument("--bias", action="store_true", help="is it the background? of classification runs")
    made.add_argument("--store", type=Path, metavar="PATH", help="the frame store (default: the one in a run's config)")
    made.add_argument("--resamples", type=int, default=RESAMPLES, metavar="N", help="of the intervals (%(default)s)")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="of the resampling (%(default)s)")
    made.add_argument("--overwrite", action="store_true", help="repeat the analysis of runs that were analysed before")
    return made


def analyse(paths: Sequence[Path], settings: Settings | None = None) -> "list[AnalysedRun]":
    """Probe every pretraining run among or in `paths` and draw its swaps; skips runs that were analysed before.

    Args:
        paths: finished pretraining runs, or studies that hold some.

    Raises:
        UserError: a path, a run or its store does not allow it.
    """
    from fbm.evaluation.finished import PRETRAINING, finished_runs

    folders = finished_runs(paths, PRETRAINING)
    from fbm.evaluation.probing.run import analyse_run

    return [analyse_run(folder, settings or Settings()) for folder in folders]


def main(argv: list[str]) -> int:
    """Analyse the runs and print a table for each; 0 when done. UserError for what the user can fix."""
    args = parsed(parser(), argv)
    settings = Settings(args.resamples, args.seed, args.store, args.overwrite)
    # Imported here so that `--help` answers at once, and what needs torch after a look at the runs.
    from fbm.utils.machine import configure_malloc

    configure_malloc()
    if args.bias:
        from fbm.evaluation.bias import analyse_bias

        measured = analyse_bias(args.paths, settings)
        from fbm.evaluation.bias.show import print_bias

        print_bias(measured)
    else:
        analysed = analyse(args.paths, settings)
        from fbm.evaluation.probing.show import print_runs

        print_runs(analysed)
    return 0
