"""One table for each protocol of the field: fine-tuned, linear, retrieval, and what classifiers look at."""

from collections.abc import Sequence
from dataclasses import replace

from fbm.report import numbers
from fbm.report.bias import bias_table
from fbm.report.labels import FINE_TUNED, LINEAR
from fbm.report.pretraining import pretrainings
from fbm.report.probes import retrieval_table
from fbm.report.published import DATA, PUBLISHED
from fbm.report.read.runs import RunSet
from fbm.report.stats import INTERVALS
from fbm.report.table import Table
from fbm.report.table1 import Row, Table1
from fbm.report.table1_table import clip_accuracy, video_accuracy
from fbm.runs.probes import ProbeReport

MEASURED = "measured here"
NOT_MEASURED = "published, not measured here"
TITLES = {
    FINE_TUNED: ("Fine-tuned", "All weights are trained on the labels, from each initialization."),
    LINEAR: ("Linear", "A linear layer on all features of the frozen encoder, flattened."),
}
VIEWS = (
    "video accuracy is top-1 of the mean softmax over a video's clips: its chunks, or 10 evenly spaced ones as in most "
    "publications where a row's test_views.clips says so"
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
    reports: dict[str, list[ProbeReport]] = {}
    for group in pretrainings(found):
        if some := [run.probes for run in group.runs if run.probes and run.probes.retrieval]:
            own = group.first.summary.data
            reports[group.label if own == data else f"{group.label} on {own}"] = some
            published = published and own == data
    table = retrieval_table(reports)
    if table is None or not published:
        return table
    rows = [(*row, MEASURED) for row in table.rows]
    for one in PUBLISHED:
        if one.recall is not None:
            cells = (numbers.percent(one.recall) if name == "R@1, %" else numbers.DASH for name in table.head[1:])
            rows.append((one.label, *cells, f"{NOT_MEASURED}: {one.source}"))
    return replace(table, head=(*table.head, "Source"), rows=tuple(rows), remarks=(*table.remarks, ELSEWHERE))
