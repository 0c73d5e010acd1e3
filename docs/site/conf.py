"""Sphinx's settings: the Markdown files of the repository as a site, with references made from conf/ and docstrings."""

import re
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from reference import write_reference  # noqa: E402 (found by the path above)

import fbm  # noqa: E402

write_reference(ROOT / "docs" / "reference")

project, author, copyright = "fbm", "the fbm authors", "the fbm authors"  # noqa: A001 (Sphinx's name)
release = fbm.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
include_patterns += [
    "docs/*.md",
    "docs/tutorials/*.md",
    "docs/reference/*.md",
    "docs/reference/api/*.md",
    "experiments/*.md",
    "experiments/*/*.md",
]
exclude_patterns = [".venv/**", "outputs/**", "stores/**", "build/**"]
html_theme = "furo"
html_title = "fbm"
html_show_copyright = False
html_copy_source = False
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
default_role = "code"  # docstrings have single backquotes, as Markdown
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_inherit_docstrings = False  # torch's, of `forward`
highlight_language = "text"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_use_ivar = True  # else attributes of a dataclass are described twice
suppress_warnings = ["ref.python"]  # a type's name that several classes have as an attribute
autodoc_mock_imports = ["torchcodec"]

NAVIGATION = {
    "First steps": ["docs/tutorials/*"],
    "Guides": [
        f"docs/{name}"
        for name in (
            *(
                "commands",
                "python",
                "datasets",
                "folders",
                "masks",
                "decoders",
                "store",
                "encoders",
                "tasks",
                "baselines",
            ),
            *("beyond", "studies", "evaluation", "scores", "resume", "ranks", "faults"),
        )
    ],
    "Reference": [
        "docs/reference/config",
        "docs/reference/api/*",
        "docs/glossary",
        "docs/architecture",
        "docs/benchmarks",
    ],
    "Experiments": ["experiments/README", "experiments/*/README"],
    "fbm": ["CHANGELOG", "CONTRIBUTING"],
}
CONFIGS = re.compile(r"\]\(((?:\.\./)*)conf(?:/[\w/]+)?\)")  # links to folders of configs
SAMPLE = "docs/sample_report/index.html"
TO_SAMPLE = re.compile(r"\[([^\]]+)\]\(([./\w]*sample_report/index\.html)\)")


def add_navigation(app: Sphinx, page: str, text: list[str]) -> None:
    """The menu, which README.md does not need elsewhere; and what has no page of its own."""
    text[0] = CONFIGS.sub(r"](\1docs/reference/config.md)", text[0])
    text[0] = TO_SAMPLE.sub(r'<a href="\2">\1</a>', text[0])  # as Markdown it would be a download
    if page == root_doc:
        trees = (
            "\n".join(["```{toctree}", ":hidden:", ":glob:", f":caption: {name}", "", *pages, "```"])
            for name, pages in NAVIGATION.items()
        )
        text[0] = "\n\n".join([text[0], *trees])


def add_pages(app: Sphinx, error: Exception | None) -> None:
    """The sample report, and a page that leads from the folder to the first one."""
    if error is None and app.builder.format == "html":
        sample = Path(app.outdir) / SAMPLE
        sample.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / SAMPLE, sample)
        to = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">'
        (Path(app.outdir) / "index.html").write_text(f"<!doctype html><title>fbm</title>{to}")


def setup(app: Sphinx) -> None:
    """Sphinx calls this."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", add_pages)
