"""The web page: one file with its pictures, style and script inside, readable from disk without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fbm.report import table1_cells
from fbm.report.comparison_table import comparison_table
from fbm.report.comparisons import Difference
from fbm.report.page import charts, per_class, plotting, run_tables
from fbm.report.page.pictures import data_uri, progress, swaps
from fbm.report.page.pretraining import pretrainings
from fbm.report.page.probes import probe_table
from fbm.report.provenance import provenance
from fbm.report.read.runs import RunSet
from fbm.report.scarcity import Curve
from fbm.report.scarcity_table import scarcity_table
from fbm.report.summary_sentence import summary_sentence
from fbm.report.table1 import Table1

# Links at the top of the page, in its order; a section that is not there has none.
SECTIONS = {
    "table1": "Table 1",
    "paired": "Paired differences",
    "scarce": "Label scarcity",
    "pictures": "Pictures",
    "training": "While training",
    "classes": "Class by class",
    "probed": "Parts of the feature",
    "pretraining": "Pretraining",
    "runs": "Runs",
    "missing": "Missing runs",
    "provenance": "Provenance",
}
ALWAYS = {"table1", "training", "pictures", "runs", "provenance"}


@dataclass(frozen=True)
class Pictures:
    """The two figures as files, None where there is none, and why."""

    figure2: Path | None
    figure2_caption: str
    figure3: Path | None


def render(
    table: Table1,
    found: RunSet,
    pictures: Pictures,
    command: str,
    differences: Sequence[Difference] = (),
    curves: Sequence[Curve] = (),
) -> str:
    """The page as HTML text. UserError for a damaged file of a run."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("fbm.report.page", "web")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["tied"] = _tied
    content = _results(table, found, differences, curves) | _pretraining(found, table.classes) | _runs(table, found)
    return page.get_template("page.html.j2").render(
        content,
        title=" + ".join(sorted({run.summary.study for run in found.runs if run.summary.study})) or "fbm report",
        summary_sentence=summary_sentence(table),
        figure2=pictures.figure2 and data_uri(pictures.figure2),
        figure2_caption=pictures.figure2_caption,
        command=command,
        sections=[(id_, name) for id_, name in SECTIONS.items() if id_ in ALWAYS or content[id_]],
        size=plotting.SIZE,
        css=Markup(_text("page.css")),
        js=Markup(_text("page.js")),
    )


def _results(table: Table1, found: RunSet, apart: Sequence[Difference], curves: Sequence[Curve]) -> dict[str, Any]:
    confusions = per_class.confusions(table)
    drawable = [one for one in confusions if len(one.classes) <= per_class.MOST_CLASSES]
    return {
        "table1": table1_cells.full_table(table, found),
        "paired": apart and comparison_table(apart, table),
        "scarcity": plotting.draw_alike(charts.scarcity(curves, table.classes)),
        "scarce": curves and scarcity_table(curves, table.data),
        "validation": plotting.draw_alike(charts.validation(table)),
        "classes": confusions,
        "class_rows": per_class.spreads(confusions),
        "matrices": [(one, per_class.matrix(one)) for one in drawable],
        "most_classes": per_class.MOST_CLASSES,
    }


def _pretraining(found: RunSet, classes: int) -> dict[str, Any]:
    groups = pretrainings(found)
    drawn = [plotting.draw(chart) for chart in charts.pretraining(groups, classes)]
    galleries = progress(groups)
    return {
        "swaps": swaps(groups),
        "probed": probe_table(groups),
        "losses": drawn,
        "progress": galleries,
        "pretraining": drawn or galleries,
    }


def _runs(table: Table1, found: RunSet) -> dict[str, Any]:
    return {
        "runs": run_tables.runs_table(found),
        "missing": run_tables.missing(table, found),
        "provenance": provenance(found.runs),
        "fingerprints": run_tables.fingerprints_table(table),
        "lineage": run_tables.lineage_table(table),
    }


def _text(name: str) -> str:
    return files("fbm.report.page").joinpath("web", name).read_text(encoding="utf-8")


def _tied(text: str) -> str:
    """Text whose numbers do not part from their per cent signs at the end of a line."""
    return text.replace(" %", "\u00a0%")
