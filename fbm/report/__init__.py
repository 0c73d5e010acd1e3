"""Run folders -> tables, paired differences, figures and one web page. It reads only the files of runs.

index.html                        everything on one page
table1.md .json .csv .tex         a row for each initialisation (and share of labels); .csv in full precision
comparisons.md .json .csv .tex    paired differences between initialisations, where there are two to compare
protocols.md .tex                 a table for each protocol (fine-tuned, linear, retrieval, bias) of several
scarcity.md .csv .tex             accuracy by share of labels, where there are several; .csv has a row for each point
scores.md                         disentanglement scores of pretrained features
runs.csv                          a row for each finished run with all its metrics
figure2.png figure3.png label-scarcity.png

How it is made, in this order:

read                          the files of runs, each parsed once -> `RunSet`
groups, labels, caveats       which runs may be averaged or compared, and what a row is called
table1, comparisons, scarcity the numbers, by stats
results                       all of it computed once, with the tables and charts that it is shown as
make, page, console           renderings of `Results`: files, page, terminal
"""

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
    return arguments


def main(argv: list[str]) -> int:
    """Report on the runs under the given paths; 0 when done. UserError for what the user can fix."""
    args = parsed(parser(), argv)
    out = args.out or args.paths[0] / "report"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file, and the report needs a folder. Choose another --out.")
    # Imported here so that `--help` answers at once.
    from fbm.report.console import print_report
    from fbm.report.make import make

    print_report(make(args.paths, out, command=shlex.join(["fbm", "report", *argv])))
    return 0
