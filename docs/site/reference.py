"""Pages of reference: every config file with its keys, defaults and comments, and the docstrings of every module."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from yaml import safe_load

from fbm.cli.settings_help import PLUMBING, comments
from fbm.config.compose import MARKS, conf_dir
from fbm.config.keys import flatten
from fbm.config.overrides import text

ROOT = Path(__file__).resolve().parents[2]
STORED = re.compile(r"\$\{fbm\.stored:\w+,(.*)\}")
NOT_SETTINGS = ("defaults", "hydra")
ROOMS = {  # in the order of docs/architecture.md
    "fbm": "Python",
    "fbm.cli": "Commands",
    "fbm.study": "Studies",
    "fbm.training": "Training",
    "fbm.evaluation": "Evaluation",
    "fbm.report": "Reports",
    "fbm.tasks": "Tasks",
    "fbm.runs": "Runs",
    "fbm.config": "Configs",
    "fbm.data": "Data",
    "fbm.models": "Networks and losses",
    "fbm.scores": "Disentanglement scores",
    "fbm.utils": "Utilities",
}


def write_reference(folder: Path) -> None:
    """Write the pages; one that is as it should be keeps its time, so that Sphinx does not read it again."""
    pages = {"config.md": "\n".join(config_page()), **{f"api/{room}.md": api_page(room) for room in ROOMS}}
    for name, content in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != content:
            path.write_text(content)


def config_page() -> Iterator[str]:
    """The lines of the page of all config files, the applications first, then the groups."""
    yield "# Every setting\n"
    yield "Each file of `conf/`: the comment at its top, and its keys as they are given on the command line.\n"
    files = sorted(conf_dir().glob("*.yaml"))
    for path in files:
        yield from _file(path, f"fbm {path.stem}", 2)
    groups: dict[str, list[Path]] = {}
    for path in sorted(conf_dir().glob("*/**/*.yaml")):
        groups.setdefault(str(path.parent.relative_to(conf_dir())), []).append(path)
    for group, options in groups.items():
        yield f"## {group}\n"
        for path in options:
            yield from _file(path, f"{group}={path.stem}", 3)


def _file(path: Path, title: str, level: int) -> Iterator[str]:
    lines = path.read_text().splitlines()
    top = [line.removeprefix("#").strip() for line in lines if line.startswith("#") and not line.startswith("# @")]
    yield f"{'#' * level} {title}\n"
    yield "  \n".join(top) + "\n"
    texts, inside = comments([path]), path.parent.relative_to(conf_dir())
    is_global = path.parent == conf_dir() or "# @package _global_" in lines[:1]
    prefix = "" if is_global else f"{inside}.".replace("/", ".")
    content = {name: value for name, value in (safe_load(path.read_text()) or {}).items() if name not in NOT_SETTINGS}
    keys = {f"{prefix}{key}": value for key, value in flatten(content).items() if _is_setting(key, value)}
    if keys:
        yield "| setting | default | meaning |\n| --- | --- | --- |"
        for key, value in keys.items():
            parent = key.rpartition(".")[0]
            meaning = texts.get(key) or texts.get(parent) or everywhere().get(key, "")
            yield f"| `{key}` | {_default(value)} | {_cell(meaning)} |"
        yield ""


@cache
def everywhere() -> dict[str, str]:
    """The comments of all files, for those that only choose another value."""
    return comments(sorted(conf_dir().rglob("*.yaml")))


def _is_setting(key: str, value: object) -> bool:
    """Whether a key is there to be set: not what is built, nor another key's value where it is needed."""
    repeated = isinstance(value, str) and "." in key and PLUMBING.fullmatch(value)
    return bool(key) and not set(MARKS) & set(key.split(".")) and not repeated


def _default(value: object) -> str:
    if value == "???":
        return "required"
    if isinstance(value, str) and (stored := STORED.fullmatch(value)):
        return f"`{_cell(stored[1])}`, or what the store was made with"
    return f"`{_cell(value if isinstance(value, str) else text(value))}`"


def _cell(written: str) -> str:
    return written.replace("|", r"\|")


def api_page(room: str) -> str:
    """The page of one package: its modules, those of inner packages included."""
    package = ROOT / room.replace(".", "/")
    files = [package / "__init__.py"] if room == "fbm" else sorted(package.rglob("*.py"))
    parts = [f"# {ROOMS[room]}: `{room}`\n"]
    for path in files:
        if ast.get_docstring(ast.parse(path.read_text())) is None:
            continue
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        parts.append(f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n")
    return "\n".join(parts)
