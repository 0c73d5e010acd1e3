"""The mean over official splits, as the field reports UCF-101, and its paired differences.

Seeds of a split are averaged first; intervals and tests are over splits, whose test groups have no video in common.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from fbm.report import numbers
from fbm.report.labels import order, share
from fbm.report.read.runs import Run, find
from fbm.report.stats import Estimate, estimate, holm, paired_t
from fbm.utils.errors import UserError
from fbm.utils.messages import exit_status

BASE = "random"
Accuracies = Mapping[str, Mapping[str, float]]  # by initialisation and split


def by_fraction(studies: Sequence[Path]) -> Mapping[float, Accuracies]:
    """Test clip accuracy in %, mean over seeds, by share of labels, initialisation and split.

    Raises:
        UserError: a study has no tested classification, or two studies have the same split.
    """
    found: dict[float, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    seen: dict[str, Path] = {}
    for study in studies:
        seeds: dict[tuple[float, str], list[float]] = defaultdict(list)
        runs = [run for run in find([study]).of("classify") if run.tested_clips]
        if not runs:
            raise UserError(f"{study}: no tested classification")
        split = _split(runs[0])
        if seen.setdefault(split, study) != study:
            raise UserError(f"{study}: split {split} is {seen[split]}'s already")
        for run in runs:
            accuracy = run.accuracy("test/clip_top1")
            if accuracy is not None:
                seeds[run.label_fraction or 1.0, run.init].append(100 * accuracy)
        for (fraction, init), values in seeds.items():
            found[fraction][init][split] = fmean(values)
    return found


def _split(run: Run) -> str:
    return str(run.config["data"]["split"])


def show(accuracies: Accuracies) -> None:
    """Print a Markdown table, a row per initialisation, p corrected after Holm."""
    splits = sorted({split for each in accuracies.values() for split in each})
    rows = sorted((init for init, each in accuracies.items() if len(each) == len(splits)), key=order)
    for init in sorted(accuracies.keys() - set(rows)):
        missing = ", ".join(sorted(set(splits) - set(accuracies[init])))
        print(f"left out: {init}, which has no run on split {missing}\n")
    compared = [init for init in rows if init != BASE] if BASE in rows else []
    pairs = {init: [accuracies[init][split] - accuracies[BASE][split] for split in splits] for init in compared}
    corrected = dict(zip(compared, holm([paired_t(values) for values in pairs.values()]), strict=True))
    print(f"| initialisation | {' | '.join(f'split {split}' for split in splits)} | mean | minus {BASE} | Holm's p |")
    print("| --- " * (len(splits) + 4) + "|")
    for init in rows:
        values = [accuracies[init][split] for split in splits]
        cells = [
            *(f"{value:.1f}" for value in values),
            _text(estimate(values), ""),
            _text(estimate(pairs.get(init, []))),
        ]
        p = corrected.get(init)
        print(f"| {init} | {' | '.join(cells)} | {'' if p is None else numbers.p_value(p)} |")


def _text(found: Estimate | None, sign: str = "+") -> str:
    if found is None:
        return ""
    return f"{found.mean:{sign}.1f}" + ("" if found.half_width is None else f" ± {found.half_width:.1f}")


def main() -> None:
    """Print a table for each share of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs="+", help="outputs/STUDY, one for each split")
    for fraction, accuracies in sorted(by_fraction(parser.parse_args().studies).items()):
        print(f"\n{share(fraction)}\n")
        show(accuracies)


if __name__ == "__main__":
    sys.exit(exit_status(main))
