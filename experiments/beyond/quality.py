"""How sharp and how right the reconstructions of a study's pretrainings are, on test clips: a table per picture."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from fbm.report.stats import estimate
from fbm.utils.errors import UserError, existing_folder
from fbm.utils.messages import exit_status

PICTURES = ("first_foreground", "first_background", "last_foreground")
# Name, title, factor, decimals.
MEASURES = (
    ("edges", "gradients, % of the truth's", 100, 0),
    ("sharpness", "sharpness difference, dB", 1, 2),
    ("psnr", "PSNR, dB", 1, 2),
    ("iou", "IoU of the foreground, %", 100, 0),
)


def kind(config: dict[str, Any]) -> str:
    """What is particular about a pretraining, in words."""
    if config["task"]["adversarial"]:
        return f"adversarial, {config['task']['adversarial']:g}"
    if config["task"]["target"] == "random":
        return "any frame"
    masks = config["masks"]
    folder = masks["source"].get("folder") if masks["name"] == "files" else None  # experiments/mask_quality has several
    source = Path(folder).name if folder else masks["name"]
    if masks["name"] == "unsupervised" and masks["source"].get("boxes"):
        source = "boxes around unsupervised ones"
    return f"masks from {source}{', predicted' if config['task']['weights'].get('masks') else ''}"


def main() -> None:
    """Print means over seeds with their 95 % intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=existing_folder, help="folder of its runs")
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for path in sorted(given.study.glob("*/summary.json")):
        summary = json.loads(path.read_text())
        if summary["task"] == "disentangle":
            config = yaml.safe_load(path.with_name("config.yaml").read_text())
            found.setdefault(kind(config), []).append(summary["metrics"])
    if not found:
        raise UserError(f"{given.study}: no finished run of task=disentangle")
    for picture in PICTURES:
        shown = [measure for measure in MEASURES if f"test/{measure[0]}_{picture}" in next(iter(found.values()))[0]]
        print(f"\n| {picture.replace('_', ' ')} | runs | {' | '.join(title for _, title, _, _ in shown)} |")
        print("| --- " * (len(shown) + 2) + "|")
        for name, runs in found.items():
            cells = []
            for measure, _, factor, decimals in shown:
                value = estimate([factor * metrics[f"test/{measure}_{picture}"] for metrics in runs])
                assert value is not None
                width = "" if value.half_width is None else f" ± {value.half_width:.{decimals}f}"
                cells.append(f"{value.mean:.{decimals}f}{width}")
            print(f"| {name} | {len(runs)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    sys.exit(exit_status(main))
