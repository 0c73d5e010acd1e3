"""`fbm report`: tables, figures and a page of runs, in files and, where asked for, on Weights & Biases."""

import argparse
import shlex
from pathlib import Path

from fbm.utils.errors import UserError, parsed


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm report`."""
    arguments = argparse.ArgumentParser(
        prog="fbm report",
        description="Make Table 1, paired differences, label-scarcity curves, figures and one web page from runs. "
        "A folder with a study.json means the runs that it declares; what is missing of them is named.",
    )
    arguments.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a study (all its runs) or a run folder")
    arguments.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: <first PATH>/report)")
    arguments.add_argument(
        "--watch",
        nargs="?",
        type=_seconds,
        const=30,
        metavar="SECONDS",
        help="write it again whenever a run has advanced, until all are finished; the page reloads itself (default: "
        "every 30 seconds)",
    )
    arguments.add_argument(
        "--wandb",
        action="store_true",
        help="also as a run of job type `report` on Weights & Biases, in the project of the runs; offline without a "
        "key. The same study updates the same run",
    )
    return arguments


def _seconds(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds above 0; PATH goes before --watch")
    return int(text)


def main(argv: list[str]) -> int:
    """Report on the runs under the given paths; 0 when done. UserError for what the user can fix."""
    args = parsed(parser(), argv)
    out = args.out or args.paths[0] / "report"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file, and the report needs a folder. Choose another --out.")
    # Imported here so that `--help` answers at once.
    from fbm.report.console import print_report
    from fbm.report.make import make
    from fbm.report.watch import watch

    command = shlex.join(["fbm", "report", *argv])
    report = watch(args.paths, out, command, args.watch) if args.watch else make(args.paths, out, command)
    if report is None:
        print(f"no classification among the runs: {out / 'index.html'} lists them")
        return 0
    print_report(report)
    if args.wandb:
        from fbm.training.wandb_report import log_report

        print(log_report(report, out))
    return 0
