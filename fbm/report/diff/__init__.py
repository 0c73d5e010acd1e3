"""`fbm diff`: what differs between two runs, and whether they may be averaged or compared."""

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
    made.add_argument("--all", action="store_true", help="also settings that are only names and places")
    made.add_argument("--json", action="store_true", help="as JSON")
    return made


def main(argv: list[str]) -> int:
    """Say what differs; 0 when both runs could be read, whatever differs. UserError for what the user can mend."""
    asked = parsed(parser(), argv)
    # Imported here so that `--help` answers at once.
    from fbm.report.diff.compare import compare
    from fbm.report.diff.read import read_side
    from fbm.report.diff.show import as_json, tell

    compared = compare(read_side(asked.a), read_side(asked.b), everything=asked.all)
    if asked.json:
        print(as_json(compared))
    else:
        tell(compared)
    return 0
