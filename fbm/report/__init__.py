"""Run folders -> Table 1, Figures 2 and 3 and one web page. Knows a run's files, not how it was trained."""

import argparse
import shlex
from pathlib import Path

from fbm.errors import UserError


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm report`."""
    made = argparse.ArgumentParser(
        prog="fbm report",
        description="Make Table 1, Figure 2, Figure 3 and one web page from finished runs.",
    )
    made.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a study (every run inside) or a run folder")
    made.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: <first PATH>/report)")
    return made


def main(argv: list[str]) -> int:
    """Report on the runs under the given paths; 0 when done. UserError for what the user can mend."""
    asked = parser().parse_args(argv)
    out = asked.out or asked.paths[0] / "report"
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file, and the report needs a folder. Choose another --out.")
    # Imported here so that `--help` answers at once.
    from fbm.report.make import make, tell

    tell(make(asked.paths, out, command=shlex.join(["fbm", "report", *argv])))
    return 0
