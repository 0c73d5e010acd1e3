"""`fbm diff`: the differences between two runs, and whether they may be averaged or compared."""

import argparse
from pathlib import Path

from fbm.utils.errors import parsed


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm diff`."""
    made = argparse.ArgumentParser(
        prog="fbm diff",
        description="What differs between two runs: config, data, pretraining, code, packages, hardware, results.",
    )
    made.add_argument("a", type=Path, metavar="RUN_A", help="a run folder")
    made.add_argument("b", type=Path, metavar="RUN_B", help="another")
    made.add_argument("--all", action="store_true", help="also settings that are only names and paths")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(argv: list[str]) -> int:
    """Print the differences; 0 if both runs could be read. UserError for what the user can fix."""
    args = parsed(parser(), argv)
    # Imported here so that `--help` answers at once.
    from fbm.report.diff.compare import compare
    from fbm.report.diff.facts import read_run
    from fbm.report.diff.show import print_diff, to_json

    diff = compare(read_run(args.a), read_run(args.b), everything=args.all)
    if args.json:
        print(to_json(diff))
    else:
        print_diff(diff)
    return 0
