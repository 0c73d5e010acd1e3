"""One table for each protocol of the field: fine-tuned, linear, retrieval, and what classifiers look at."""

from collections.abc import Iterator, Sequence

from fbm.report import numbers
from fbm.report.bias import bias_table
from fbm.report.labels import FINE_TUNED, LINEAR
from fbm.report.pretraining import Pretraining, pretrainings
from fbm.report.published import DATA, PUBLISHED
from fbm.report.read.runs import RunSet
from fbm.report.stats import INTERVAL, estimate
from fbm.report.table import Table
from fbm.report.table1 import Row, Table1
from fbm.report.table1_table import clip_accuracy, video_accuracy
from fbm.runs.probes import ProbeReport, Retrieval

MEASURED = "measured here"
NOT_MEASURED = "published, not measured here"
INTERVALS = (
    f"± is the {INTERVAL} over seeds (Student t); of a single run, in brackets, that over test groups (bootstrap)"
)
TITLES = {
    FINE_TUNED: ("Fine-tuned", "All weights are trained on the labels, from each initialization."),
    LINEAR: ("Linear", "A linear layer on all features of the frozen encoder, flattened."),
}
VIEWS = (
    "video accuracy is top-1 of the mean softmax over a video's clips: its chunks, or 10 evenly spaced ones as in most "
    "publications where a row's test_views.clips says so"
)
POOLED = (
    "R@k: the share of test videos of whose k nearest training videos any has their class; by the cosine similarity of "
    "mean features, over a video's chunks (the middle clip of each) and over space and time"
)
ELSEWHERE = (
    "published rows: pretrained and tested on UCF-101, RGB, clips of 16 x 112 x 112, as the named repository's README "
    "says; without intervals, and other settings differ"
)


def protocol_tables(table: Table1, found: RunSet) -> tuple[Table, ...]:
    """The tables of the protocols that were measured; none where they are one that Table 1 shows in full."""
    published = (table.data, table.classes) == DATA
    made = [_classified(table, protocol, published and protocol == FINE_TUNED) for protocol in TITLES]
    tables = [one for one in (*made, _retrieved(found, table.data, published), bias_table(found)) if one]
    return tuple(tables) if published or len(tables) > 1 else ()


def _classified(table: Table1, protocol: str, published: bool) -> Table | None:
    rows: Sequence[Row] = [row for row in table.rows if row.runs[0].protocol == protocol and row.clip]
    if not rows:
        return None
    head = ("Initialization", "Clip accuracy, %", "Video accuracy, %", "Runs", "Source")
    cells = [
        (
            row.label,
            clip_accuracy(row),
            video_accuracy(row),
            str(len(row.runs)),
            MEASURED,
        )
        for row in rows
    ]
    if published:
        cells += [
            (one.label, numbers.DASH, numbers.percent(one.fine_tuned), numbers.DASH, f"{NOT_MEASURED}: {one.source}")
            for one in PUBLISHED
            if one.fine_tuned is not None
        ]
    title, caption = TITLES[protocol]
    remarks = (INTERVALS, VIEWS, *([ELSEWHERE] if published else []))
    made = Table(head, tuple(cells), title, f"{caption} Test set of {table.data}.", remarks=remarks)
    return made if published else made.select(range(len(head) - 1))


def _retrieved(found: RunSet, data: str, published: bool) -> Table | None:
    """Encoders that were pretrained on other data than the classifications' retrieve videos of those data."""
    groups = pretrainings(found)
    reports = [[run.probes for run in group.runs if run.probes and run.probes.retrieval] for group in groups]
    measured = [(group, some) for group, some in zip(groups, reports, strict=True) if some]
    published = published and all(group.first.summary.data == data for group, _ in measured)
    if not measured:
        return None
    ranks = sorted({one.k for _, some in measured for report in some for one in report.retrieval})
    cells = [row for group, some in measured for row in _rows(group, some, ranks, data)]
    if published:
        cells += [
            (
                one.label,
                *(numbers.percent(one.recall) if k == 1 else numbers.DASH for k in ranks),
                numbers.DASH,
                f"{NOT_MEASURED}: {one.source}",
            )
            for one in PUBLISHED
            if one.recall is not None
        ]
    head = ("Pretraining", *(f"R@{k}, %" for k in ranks), "Runs", "Source")
    caption = "Test videos retrieve training videos by features that no label has trained."
    remarks = (INTERVALS, POOLED, *([ELSEWHERE] if published else []))
    made = Table(head, tuple(cells), "Retrieval", caption, remarks=remarks)
    return made if published else made.select(range(len(head) - 1))


def _rows(
    group: Pretraining, reports: Sequence[ProbeReport], ranks: Sequence[int], data: str
) -> Iterator[tuple[str, ...]]:
    """The trained encoders, and the untrained ones that they began with."""
    own = group.first.summary.data
    name = group.label if own == data else f"{group.label} on {own}"
    for label, of_runs in (
        (name, [report.retrieval for report in reports]),
        (f"{name}, untrained", [report.control_retrieval for report in reports]),
    ):
        yield (label, *(_recall(of_runs, k) for k in ranks), str(len(of_runs)), MEASURED)


def _recall(of_runs: Sequence[Sequence[Retrieval]], k: int) -> str:
    some = [one for of_run in of_runs for one in of_run if one.k == k]
    ends = (some[0].low, some[0].high) if len(some) == 1 else None
    return numbers.accuracy(estimate([one.recall for one in some]), ends)
