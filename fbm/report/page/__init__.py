"""The web page: one file with its pictures, style and script inside, readable from disk without a network."""

from importlib.resources import files

from fbm.report import charts
from fbm.report.charts import svg
from fbm.report.page import per_class, tables
from fbm.report.page.pictures import bias_picture, data_uri, progress, swaps
from fbm.report.page.probes import probe_table
from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import RunSet
from fbm.report.results import Results

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


def render(made: Results, command: str) -> str:
    """The page as HTML text. UserError for a damaged file of a run."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("fbm.report.page", "web")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters["tied"] = _tied
    groups, confusions = pretrainings(made.found), per_class.confusions(made.table1)
    losses = [svg.draw(chart) for chart in charts.pretraining(groups, made.table1.classes)]
    galleries = progress(groups)
    content = {
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
        "probed": probe_table(groups),
        "scores": made.scores,
        "losses": losses,
        "progress": galleries,
        "pretraining": losses or galleries,
        "runs": tables.runs_table(made.found),
        "missing": tables.missing(made.table1, made.found),
        "provenance": tables.provenance(made.found.runs),
        "fingerprints": tables.fingerprints_table(made.table1),
        "lineage": tables.lineage_table(made.table1),
    }
    return page.get_template("page.html.j2").render(
        content,
        title=title(made.found),
        summary_sentence=made.sentence,
        figure2=made.figure2 and data_uri(made.figure2),
        figure2_caption=made.figure2_caption,
        command=command,
        sections=[(id_, name) for id_, name in SECTIONS.items() if id_ in ALWAYS or content[id_]],
        size=svg.SIZE,
        css=Markup(_text("page.css")),
        js=Markup(_text("page.js")),
    )


def title(found: RunSet) -> str:
    """The names of the studies that are reported."""
    return " + ".join(sorted({run.summary.study for run in found.runs if run.summary.study})) or "fbm report"


def _text(name: str) -> str:
    return files("fbm.report.page").joinpath("web", name).read_text(encoding="utf-8")


def _tied(text: str) -> str:
    """Text whose numbers do not part from their per cent signs at the end of a line."""
    return text.replace(" %", "\u00a0%")
