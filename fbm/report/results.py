"""All that a report says, computed once. The files, the page and the terminal only render it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fbm.report import charts, comparison_table, table1_table
from fbm.report.charts import Chart
from fbm.report.comparisons import Difference, differences
from fbm.report.pretraining import pretrainings
from fbm.report.probes import probes_table
from fbm.report.protocols import protocol_tables
from fbm.report.read.runs import Run, RunSet
from fbm.report.scarcity import Curve, scarcity, scarcity_table
from fbm.report.scores import over_seeds, scores_table
from fbm.report.summary_sentence import summary_sentence
from fbm.report.table import Table
from fbm.report.table1 import Table1, table1
from fbm.utils.files import shown


@dataclass(frozen=True)
class Results:
    """The numbers, and what a reader sees of them in more than one place.

    Attributes:
        sentence: what the numbers say.
        figure2: the reconstructions to copy; None where there are none.
        figure2_caption: whose they are, or why there are none.
        validation, scarcity: charts.
        full_table, compared, by_share: Table 1, `differences` and `curves` as formatted tables; None for none of them.
        probes: linear ones of pretrained features; None without any.
        scores: of the parts of pretrained features, over seeds and of each run; none without any.
        protocols: a table for each protocol, none where Table 1 is the only one.
    """

    found: RunSet
    table1: Table1
    differences: tuple[Difference, ...]
    curves: tuple[Curve, ...]
    sentence: str
    figure2: Path | None
    figure2_caption: str
    validation: Sequence[Chart]
    scarcity: Sequence[Chart]
    full_table: Table
    compared: Table | None
    by_share: Table | None
    probes: Table | None
    scores: tuple[Table, ...]
    protocols: tuple[Table, ...]


def results(found: RunSet) -> Results:
    """Compute everything. UserError without a finished classification run, for doubles, or for a damaged file."""
    table = table1(found)
    apart, curves = differences(table), scarcity(table)
    picture, caption = figure2(found)
    return Results(
        found=found,
        table1=table,
        differences=apart,
        curves=curves,
        sentence=summary_sentence(table, apart),
        figure2=picture,
        figure2_caption=caption,
        validation=charts.validation(table),
        scarcity=charts.scarcity(curves, table.classes),
        full_table=table1_table.full_table(table, found),
        compared=comparison_table.comparison_table(apart, table) if apart else None,
        by_share=scarcity_table(curves, table.data) if curves else None,
        probes=_probes(found),
        scores=_scores(found),
        protocols=protocol_tables(table, found),
    )


def _probes(found: RunSet) -> Table | None:
    runs = [run for group in pretrainings(found) for run in group.runs]
    return probes_table([(_named(run, run.probes.data), run.probes) for run in runs if run.probes])


def _named(run: Run, data: str) -> str:
    """The run's name, and a remark where it was probed on other data than its own."""
    other = data != run.summary.fingerprints.data
    return run.summary.run + (f"; probed on other data than the run's (fingerprint {data})" if other else "")


def _scores(found: RunSet) -> tuple[Table, ...]:
    scored = {
        group.label: [(run.summary.run, run.probes.scores) for run in group.runs if run.probes]
        for group in pretrainings(found)
    }
    over = over_seeds({label: [scores for _, scores in runs] for label, runs in scored.items()})
    each = scores_table([run for runs in scored.values() for run in runs])
    return tuple(table for table in (over, each) if table)


def figure2(found: RunSet) -> tuple[Path | None, str]:
    """The reconstructions of the disentangling run with the lowest seed, ours before its variants in a study, and one
    line: whose, or why none."""
    runs = sorted(found.of("disentangle"), key=lambda run: (run.label not in ("", "ours"), run.summary.seed, run.path))
    if not runs:
        return None, "no finished disentangle run among the paths"
    picture = runs[0].path / "gallery" / "test.png"
    if not picture.is_file():
        return None, f"{shown(picture)} does not exist"
    return picture, f"From {runs[0].where}"
