"""The web page: one file with its pictures, style and script inside, readable from disk without a network."""

import time
from collections.abc import Mapping
from importlib.resources import files

from fbm.report import charts
from fbm.report.charts import svg
from fbm.report.page import per_class, tables
from fbm.report.page.pictures import bias_picture, data_uri, progress, swaps
from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import RunSet
from fbm.report.results import Results
from fbm.report.table1_table import missing_lines

# Links at the top of the page, in its order; a section that is not there has none.
SECTIONS = {
    "table1": "Table 1",
    "paired": "Paired differences",
    "protocols": "Protocols",
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


def render(made: Results, command: str, every: int | None = None) -> str:
    """The page as HTML text.

    Args:
        every: seconds after which the browser loads the page again; None for never.

    Raises:
        UserError: a file of a run is damaged.
    """
    groups, confusions = pretrainings(made.found), per_class.confusions(made.table1)
    losses = [svg.draw(chart) for chart in charts.pretraining(groups, made.table1.classes)]
    galleries = progress(groups)
    content: dict[str, object] = {
        "table1": made.full_table,
        "paired": made.compared,
        "protocols": made.protocols,
        "bias_picture": bias_picture(made.found),
        "scarcity": svg.draw_alike(made.scarcity),
        "scarce": made.by_share,
        "swaps": swaps(groups),
        "validation": svg.draw_alike(made.validation),
        "classes": confusions,
        "class_rows": per_class.spreads(confusions),
        "matrices": [(one, per_class.matrix(one)) for one in confusions if len(one.classes) <= per_class.MOST_CLASSES],
        "most_classes": per_class.MOST_CLASSES,
        "probed": [table for table in (made.probes, *made.scores) if table],
        "losses": losses,
        "progress": galleries,
        "pretraining": losses or galleries,
        "runs": tables.runs_table(made.found),
        "missing": missing_lines(made.found),
        "provenance": tables.provenance(made.found.runs),
        "fingerprints": tables.fingerprints_table(made.table1),
        "lineage": tables.lineage_table(made.table1),
    }
    content |= {
        "title": title(made.found),
        "summary_sentence": made.sentence,
        "figure2": made.figure2 and data_uri(made.figure2),
        "figure2_caption": made.figure2_caption,
        "command": command,
        "sections": [(id_, name) for id_, name in SECTIONS.items() if id_ in ALWAYS or content[id_]],
    }
    return _fill("page.html.j2", content, made.found, every)


def render_unfinished(found: RunSet, every: int | None) -> str:
    """The page of runs of which no classification is finished, as HTML text; `every` as for `render`."""
    runs, missing = tables.runs_table(found) if found.runs else None, missing_lines(found)
    content = {
        "title": title(found),
        "summary_sentence": "No classification is finished yet.",
        "runs": runs,
        "missing": missing,
        "sections": [(id_, SECTIONS[id_]) for id_, shown in (("runs", runs), ("missing", missing)) if shown],
    }
    return _fill("unfinished.html.j2", content, found, every)


def _fill(template: str, content: Mapping[str, object], found: RunSet, every: int | None) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("fbm.report.page", "web")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["tied"] = _tied
    return page.get_template(template).render(
        content,
        every=every,
        clock=time.strftime("%H:%M"),
        done=found.progress,
        size=svg.SIZE,
        css=Markup(_text("page.css")),
        js=Markup(_text("page.js")),
    )


def title(found: RunSet) -> str:
    """The names of the studies that are reported."""
    names = {run.summary.study for run in found.runs} or {run.path.parent.name for run in found.missing}
    return " + ".join(sorted(filter(None, names))) or "fbm report"


def _text(name: str) -> str:
    return files("fbm.report.page").joinpath("web", name).read_text(encoding="utf-8")


def _tied(text: str) -> str:
    """Text whose numbers do not part from their per cent signs at the end of a line."""
    return text.replace(" %", "\u00a0%")
