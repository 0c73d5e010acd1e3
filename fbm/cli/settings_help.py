"""The settings in `--help` of a Hydra application: each value with the comment in its config file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.config.compose import MARKS, conf_dir
from fbm.config.keys import flatten, under
from fbm.config.overrides import text

PLUMBING = re.compile(r"\$\{(oc\.select:)?[\w.]+(,\w+)?\}(/\w+)?")  # a value that is another key's, or a folder in it
LINE = re.compile(r"(?P<indent> *)(?P<key>[\w.]+):(?P<rest>.*)")
COMMENT = re.compile(r"(?:^|\s)# (?P<comment>.*)$")
WIDTH = 38  # columns of a setting before its comment


def settings_text(*nodes: str, _root_: DictConfig) -> str:
    """`${fbm.settings:NODE,...}`: a line `KEY=VALUE  meaning` for each setting of these nodes, for Hydra's template.

    Keys that only refer to another key are omitted, and so are `_target_` and the like.

    Args:
        nodes: dotted keys, with all keys inside; `-KEY` excludes one; none includes all.
    """
    included = tuple(node for node in nodes if not node.startswith("-"))
    excluded = tuple(node[1:] for node in nodes if node.startswith("-"))
    chosen = _chosen(_root_)
    texts = comments([*chosen.values(), conf_dir() / "train.yaml", conf_dir() / "prepare.yaml"])
    raw: Any = OmegaConf.to_container(_root_, resolve=False)
    raw.pop("hydra", None)
    lines: list[str] = []
    before = ""
    for key, given in flatten(raw).items():
        if set(MARKS) & set(key.split(".")) or (included and not under(key, included)) or under(key, excluded):
            continue
        group, _, inner = key.partition(".")
        if inner and isinstance(given, str) and PLUMBING.fullmatch(given):
            continue
        if group != before.partition(".")[0] and group in chosen:
            lines += ["", f"{group}={chosen[group].stem}: {_first_comment(chosen[group])}"]
        elif group not in chosen and before.partition(".")[0] in chosen:
            lines.append("")
        parent = key.rpartition(".")[0]
        if parent != before and parent in texts:
            lines.append(f"  {parent}: {texts[parent]}")
        before = parent or key
        if key not in chosen:  # else it is a group, which takes an option
            lines.append(_line(key, OmegaConf.select(_root_, key), texts.get(key, "")))
    return "\n".join(lines).strip("\n").replace("$", "$$")  # `$` is special in templates


def groups_text(*groups: str) -> str:
    """`${fbm.groups:GROUP,...}`: a line `GROUP: OPTION, ...` for each of these groups of configs; none takes all."""
    found: dict[str, list[str]] = {}
    for path in sorted(conf_dir().glob("*/**/*.yaml")):
        found.setdefault(str(path.parent.relative_to(conf_dir())), []).append(path.stem)
    found.pop("hydra/sweeper", None)  # chosen by `sweeper`
    asked = {group: options for group, options in found.items() if not groups or group.split("/")[0] in groups}
    return "\n".join(f"{group}: {', '.join(options)}" for group, options in asked.items())


def comments(files: list[Path]) -> dict[str, str]:
    """The comments behind the keys of config files, by dotted key.

    Args:
        files: the first one with a comment for a key counts; each is followed by the files it is based on.
    """
    texts: dict[str, str] = {}
    for path in files:
        for key, comment in _comments(path):
            texts.setdefault(key, comment)
        for base in _bases(path):
            texts = comments([base]) | texts
    return texts


def _comments(path: Path) -> Iterator[tuple[str, str]]:
    lines = path.read_text().splitlines()
    package = next((line.removeprefix("# @package ") for line in lines[:1] if line.startswith("# @package ")), None)
    group = "" if path.parent == conf_dir() else str(path.parent.relative_to(conf_dir())).replace("/", ".")
    above = [(-1, group if package is None else package.replace("_global_", ""))]
    for line in lines:
        found = LINE.fullmatch(line)
        if found is None:
            continue
        indent = len(found["indent"])
        while above[-1][0] >= indent:
            above.pop()
        key = f"{above[-1][1]}.{found['key']}".lstrip(".")
        above.append((indent, key))
        if comment := COMMENT.search(found["rest"]):
            yield key, comment["comment"]


def _first_comment(path: Path) -> str:
    lines = (line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), "")


def _chosen(root: DictConfig) -> dict[str, Path]:
    """The file of each group's chosen option, if it is one of fbm's."""
    choices = OmegaConf.select(root, "hydra.runtime.choices") or {}
    files = {group: conf_dir() / group / f"{option}.yaml" for group, option in choices.items()}
    return {group: path for group, path in files.items() if path.is_file() and group != "experiment"}


def _bases(path: Path) -> list[Path]:
    """The options of its own group that a file is based on."""
    found = re.search(r"^defaults: \[(.*)\]$", path.read_text(), re.MULTILINE)
    names = [name for name in found[1].split(", ") if "/" not in name] if found else []
    return [path.with_name(f"{name}.yaml") for name in names if path.with_name(f"{name}.yaml").is_file()]


def _line(key: str, value: Any, comment: str) -> str:
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    setting = f"  {key}={text(plain)}"
    return f"{setting:{WIDTH}}  {comment}".rstrip()


def register_help() -> None:
    """Make `${fbm.settings:...}` and `${fbm.groups:...}` known to OmegaConf."""
    OmegaConf.register_new_resolver("fbm.settings", settings_text, replace=True)
    OmegaConf.register_new_resolver("fbm.groups", groups_text, replace=True)
