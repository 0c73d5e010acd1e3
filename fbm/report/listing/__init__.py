"""`fbm runs`: the runs of a folder on the terminal or as CSV, finished or not; sorted, and chosen by their settings."""

import argparse
from pathlib import Path

from fbm.utils.errors import UserError, parsed

EXAMPLES = """examples:
  fbm runs                                                  every run in outputs/
  fbm runs outputs/demo task=classify init=ours,random      those of a study with these settings
  fbm runs task=classify --by val/clip_top1 --best          the best of them
  fbm runs --by val/loss --show optim.lr,seconds            sorted, and with more columns
  fbm runs --csv runs.csv                                   everything that is known of each
KEY is a metric, a setting as in config.yaml (optim.lr), or one of state, folder, study, run, task, init, seed, data,
label_fraction, epochs, best_epoch, seconds, started. state is finished, running, failed, unfinished or damaged.
On a terminal, names too long for it lose what they have in common; in a pipe and with --csv they are whole.
"""


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm runs`."""
    made = argparse.ArgumentParser(
        prog="fbm runs",
        description="List runs, finished or not. A finished one's metrics are of its best epoch, others' the newest.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("words", nargs="*", metavar="FOLDER | KEY=VALUE", help="where to look (default: outputs), and which to list")
    add("--by", metavar="KEY", help="sort by it: accuracies, PSNR and IoU from the highest, all else from the lowest")
    add("--reverse", action="store_true", help="sort the other way round")
    add("--best", nargs="?", type=int, const=1, metavar="N", help="only the first N of --by (default: 1)")
    add("--show", default="", metavar="KEY,KEY", help="more columns")
    add("--csv", type=Path, metavar="FILE", help="write the runs there instead, with all their metrics")
    return made


def main(argv: list[str]) -> int:
    """Run `fbm runs`; 0 when done. UserError for what the user can fix."""
    args = parsed(parser(), argv, mixed=True)
    if args.best is not None and (args.by is None or args.best < 1):
        raise UserError("--best N takes the first N runs, at least 1, of --by KEY: name the metric")
    folders = [Path(word) for word in args.words if "=" not in word or Path(word).is_dir()]
    filters = [tuple(word.split("=", 1)) for word in args.words if Path(word) not in folders]
    from fbm.report.listing.entries import check_known, chosen, entries, ordered
    from fbm.report.listing.show import print_table, records, table

    listed = chosen(entries(folders or [Path("outputs")]), dict(filters))
    more = [key for key in args.show.split(",") if key]
    for key in more:
        check_known(listed, key)
    listed = ordered(listed, args.by, args.reverse)[: args.best]
    if args.csv is not None:
        from fbm.report.export import write_csv

        write_csv(args.csv, records(listed, more))
        print(f"{args.csv}: {len(listed)} runs")
        return 0
    print_table(table(listed, args.by, more))
    for entry in listed:
        if entry.fault:
            print(entry.fault)
    return 0
