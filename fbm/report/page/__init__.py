"""The web page: one file with its pictures, style and script inside, readable from disk without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fbm.report import comparison_table, scarcity_table, tables
from fbm.report.comparisons import Difference
from fbm.report.headline import headline
from fbm.report.page import charts, grids, per_class, plotting
from fbm.report.page.pictures import data_uri, progress, swaps
from fbm.report.page.pretraining import pretrainings
from fbm.report.page.probes import probed
from fbm.report.provenance import provenance
from fbm.report.read.runs import Found
from fbm.report.scarcity import Curve
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
    figure2_says: str
    figure3: Path | None


def render(
    table: Table1,
    found: Found,
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
    said = _results(table, found, differences, curves) | _pretraining(found, table.classes) | _runs(table, found)
    return page.get_template("page.html.j2").render(
        said,
        title=" + ".join(sorted({run.summary.study for run in found.runs if run.summary.study})) or "fbm report",
        headline=headline(table),
        figure2=pictures.figure2 and data_uri(pictures.figure2),
        figure2_says=pictures.figure2_says,
        command=command,
        sections=[(id_, name) for id_, name in SECTIONS.items() if id_ in ALWAYS or said[id_]],
        cells=grids.grid,
        size=plotting.SIZE,
        css=Markup(_text("page.css")),
        js=Markup(_text("page.js")),
    )


def _results(table: Table1, found: Found, apart: Sequence[Difference], curves: Sequence[Curve]) -> dict[str, Any]:
    confusions = per_class.confusions(table)
    drawable = [one for one in confusions if len(one.classes) <= per_class.MOST_CLASSES]
    return {
        "table1": tables.sheet(table, found),
        "paired": apart and comparison_table.sheet(apart, table),
        "scarcity": plotting.draw_alike(charts.scarcity(curves, table.classes)),
        "scarce": curves and scarcity_table.sheet(curves, table.data),
        "validation": plotting.draw_alike(charts.validation(table)),
        "classes": confusions,
        "class_rows": per_class.spreads(confusions),
        "matrices": [(one, per_class.matrix(one)) for one in drawable],
        "most_classes": per_class.MOST_CLASSES,
    }


def _pretraining(found: Found, classes: int) -> dict[str, Any]:
    groups = pretrainings(found)
    drawn, albums = [plotting.draw(chart) for chart in charts.pretraining(groups, classes)], progress(groups)
    return {
        "swaps": swaps(groups),
        "probed": probed(groups),
        "losses": drawn,
        "progress": albums,
        "pretraining": drawn or albums,
    }


def _runs(table: Table1, found: Found) -> dict[str, Any]:
    return {
        "runs": grids.runs_grid(found),
        "missing": grids.missing(table, found),
        "provenance": provenance(found.runs),
        "fingerprints": grids.fingerprints_grid(table),
        "lineage": grids.lineage_grid(table),
    }


def _text(name: str) -> str:
    return files("fbm.report.page").joinpath("web", name).read_text(encoding="utf-8")


def _tied(said: str) -> str:
    """Text whose numbers do not part from their per cent signs at the end of a line."""
    return said.replace(" %", "\u00a0%")
