"""What classifiers look at: their accuracy on versions of the test clips, `bias.json` of each run."""

from collections.abc import Sequence

from fbm.report import numbers
from fbm.report.groups import Group, groups, name
from fbm.report.read.runs import RunSet
from fbm.report.stats import INTERVAL, estimate
from fbm.report.table import Table
from fbm.runs.bias import ORIGINAL, VERSIONS, Version

REMARKS = (
    f"± is the {INTERVAL} of the mean over seeds (Student t); of a single run, in brackets, the {INTERVAL} over test "
    "groups (percentile bootstrap). Differences are paired: to the same run on the same clips as they are",
    "HAT's and SCUBA's masks are of people by a segmentation network, HAT fills backgrounds with a video network; here "
    "masks are the store's, and gaps are filled frame by frame (OpenCV, Telea), which leaves traces of the motion",
    "without foreground, and with one frame repeated, accuracy above chance is due to the background and to looks",
)
BOXES = "masks are boxes: what is called foreground includes the background inside the box"


def bias_table(found: RunSet) -> Table | None:
    """The versions, a heading for each row of Table 1; None if no run was measured. UserError for a damaged file."""
    reports = [run.bias for run in found.of("classify") if run.bias]
    if not reports:
        return None
    among: Sequence[Group] = groups(found.of("classify"))
    cells: list[tuple[str, ...]] = []
    for group in among:
        of_runs = [{one.name: one for one in run.bias.versions} for run in group if run.bias]
        if of_runs:
            cells.append((name(group, among), "", "", ""))
        for version in VERSIONS:
            if some := [of_run[version] for of_run in of_runs if version in of_run]:
                cells.append((VERSIONS[version], *_cells(some), str(len(some))))
    clips = dict.fromkeys(f"{numbers.count(one.clips)} of {numbers.count(one.test_clips)}" for one in reports)
    masks = dict.fromkeys(one.masks for one in reports)
    caption = (
        f"Clip accuracy on versions of the same test clips: {' or '.join(clips)}, those with foreground in every frame "
        f"(masks: {', '.join(masks)})."
    )
    head = ("Test clips", "Clip accuracy, %", "Difference to the original, points", "Runs")
    remarks = (*REMARKS, *([BOXES] if "boxes" in masks else []))
    return Table(head, tuple(cells), "Is it the background?", caption, remarks=remarks)


def _cells(of_runs: Sequence[Version]) -> tuple[str, str]:
    """The accuracy on a version, and its difference to the original, of each run of a group."""
    one, accuracy = of_runs[0], estimate([one.accuracy for one in of_runs])
    difference = numbers.gain(estimate([one.difference for one in of_runs]))
    if len(of_runs) == 1:
        ends = f"{100 * one.difference_low:+.1f} to {100 * one.difference_high:+.1f}"
        difference = f"{100 * one.difference:+.1f} ({ends})"
    return numbers.accuracy(accuracy, (one.low, one.high)), "" if one.name == ORIGINAL else difference
