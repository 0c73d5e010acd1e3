"""Validation IoU of both foregrounds and the background's loss, run by run: a row for each pretraining of a folder."""

import argparse
import json
import sys
from typing import Any

import yaml

from fbm.utils.errors import UserError, existing_folder
from fbm.utils.messages import exit_status

METRICS = ("iou_first_foreground", "iou_last_foreground", "first_foreground", "first_background")


def norms(config: dict[str, Any]) -> str:
    """Which norm stands where, and how the decoders begin."""
    encoder, task = config["encoder"], config["task"]
    decoder, motion = task["decoder_norm"] or encoder["norm"], task["motion_norm"] or encoder["mapping_norm"]
    places = [encoder["norm"], encoder["mapping_norm"], decoder, motion]
    return f"{' / '.join(places)} | {task['output_init']}"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=existing_folder, nargs="+", help="studies with runs of task=disentangle")
    given = parser.parse_args()
    rows = []
    for path in (path for folder in given.folders for path in folder.glob("*/summary.json")):
        summary = json.loads(path.read_text())
        if summary["task"] != "disentangle":
            continue
        config = yaml.safe_load(path.with_name("config.yaml").read_text())
        values = [summary["metrics"][f"val/{name}"] for name in METRICS]
        epoch = f"{summary['best_epoch'] + 1} of {summary['epochs']}"
        run = f"{summary['study']}/{summary['run']}"
        cells = [run, norms(config), str(summary["seed"]), epoch, *(f"{value:.3f}" for value in values)]
        rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        raise UserError(f"{', '.join(map(str, given.folders))}: no finished run of task=disentangle")
    print("| run | norm of convolutions / mapping / frame decoders / motion | output | seed | best epoch ", end="")
    print(f"| {' | '.join(METRICS)} |")
    print("| --- " * (5 + len(METRICS)) + "|")
    print("\n".join(sorted(rows)))


if __name__ == "__main__":
    sys.exit(exit_status(main))
