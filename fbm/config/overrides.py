"""`KEY=VALUE` as typed: Hydra's quotes, home folders, swept keys, and one line for what does not parse."""

import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fbm.utils.errors import UserError

PLAIN = re.compile(r"(?:[A-Za-z_]|\.{0,2}/)[\w./+-]*", re.ASCII)  # strings that need no quotes in Hydra's grammar
WORDS = {"true", "false", "null", "nan", "inf"}  # words that it parses as another type
HOME = re.compile(r"~(?=/|$)")
# After the = of a word, or at an element of a list or a sweep.
TYPED_HOME = re.compile(r"(?<=[=,\[])~(?:/[^,\[\]{}'\"]*)?(?=[,\]]|$)")
QUOTED_HOME = re.compile(r"(?<=[=,\[]['\"])~(?=/)")
# Hydra's own settings, and ours that replace them.
FOLDERS = {
    "hydra.run.dir": "a run's folder is run_dir=PATH, or outputs/STUDY/NAME by study=STUDY and name=NAME",
    "hydra.sweep.dir": "the runs of study=NAME are in outputs/NAME",
    "hydra.sweep.subdir": "a run is in outputs/STUDY under its name, which holds what is swept",
}

RENAMED = {"engine": "launcher", "data.workers": "data.num_workers", "--again": "--overwrite"}  # since an earlier fbm


def text(value: Any) -> str:
    """A value in Hydra's grammar."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if isinstance(value, str):
        plain = PLAIN.fullmatch(value) and value.lower() not in WORDS
        return value if plain else QuotedString(value, Quote.double).with_quotes()
    if isinstance(value, list):
        return f"[{','.join(map(text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{text(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value)


def expand_home_word(word: str) -> str:
    """A word of the command line, with `~` at the beginning of paths replaced by the home folder, as a shell does."""
    option = word.startswith("-")  # not of Hydra's grammar
    expanded = TYPED_HOME.sub(lambda match: (str if option else text)(_home(match[0])), word)
    return expanded if option else QUOTED_HOME.sub(lambda match: str(Path.home()), expanded)


def expand_home(config: DictConfig) -> None:
    """The same for the values of a config, in place."""
    from fbm.config.keys import flatten

    for key, value in flatten(OmegaConf.to_container(config, resolve=False)).items():
        expanded = [_home(item) for item in value] if isinstance(value, list) else _home(value)
        if expanded != value:
            OmegaConf.update(config, key, expanded)


def _home(value: Any) -> Any:
    return str(Path(value).expanduser()) if isinstance(value, str) and HOME.match(value) else value


def swept(words: Iterable[str]) -> set[str]:
    """The keys that are given several values."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser, keys = OverridesParser.create(), set()
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException:  # Hydra will report it
            continue
        if override.is_sweep_override():
            keys.add(override.key_or_group)
    return keys


def check_hydra_folders(words: Iterable[str]) -> None:
    """UserError for settings of Hydra's own folders, which fbm does not use."""
    for word in words:
        key, _, value = word.lstrip("+").partition("=")
        if key in FOLDERS:
            raise UserError(f"{word} sets nothing here: {FOLDERS[key]}; a store is data.store=PATH")
        if key == "hydra.job.chdir" and value.lower() not in ("false", "null"):
            raise UserError(f"{word}: fbm stays in the folder it is started in, and paths are from there: leave it out")


def check_not_renamed(words: Iterable[str]) -> None:
    """UserError for keys and options that were renamed."""
    for word in words:
        key, equals, value = word.lstrip("+~").partition("=")
        if key in RENAMED:
            name = "sweeper" if (key, value) == ("engine", "optuna") else RENAMED[key]
            raise UserError(f"{word}: it is called {name}{equals}{value} now")


def explain_override(word: str, sweeps: bool) -> str:
    """Why Hydra cannot parse a word of the command line, and how to write it.

    Args:
        sweeps: a comma separates the values of a sweep; else it is part of one.
    """
    key, equals, value = word.partition("=")
    if not equals and not word.startswith("~"):
        return f"{word!r} is not a setting: KEY=VALUE is expected; several values are KEY=A,B with -m"
    if not _parses(f"{key}=0" if equals else word):
        return f"{word!r}: {key!r} is not a valid key"
    if re.search(r"(^|,)\s*(,|$)", value) and not Path(value).exists():
        return f"{word}: a value is missing beside a comma: {key}={','.join(filter(None, value.split(',')))}"
    if value[:1] in ("[", "{") and "/" not in value and not _balanced(value):
        return f"{word}: its brackets do not match"
    form = f"{key}={_quoted(value, sweeps)}"
    if not _parses(form):
        return f"{word}: its value does not parse"
    return f"{word}: a value with such characters takes quotes, Hydra's within the shell's: {shlex.quote(form)}"


def explain_list(word: str) -> str:
    """The message for several values where Hydra expects one."""
    key, _, value = word.partition("=")
    return (
        f"{word}: several values are a sweep, which is -m; {key}=[{value}] is a list, and one value with a comma in it "
        f"takes quotes: {shlex.quote(f'{key}={text(value)}')}"
    )


def _quoted(value: str, sweeps: bool) -> str:
    if not Path(value).expanduser().exists():  # else the whole value is a file's path
        if value.startswith("[") and value.endswith("]"):
            return f"[{','.join(map(_element, value[1:-1].split(',')))}]"
        if sweeps:
            return ",".join(map(_element, value.split(",")))
    return text(value)


def _element(value: str) -> str:
    return value if _parses(f"key={value}") else text(value.strip())


def _balanced(value: str) -> bool:
    return all(value.count(left) == value.count(right) for left, right in ("[]", "{}", "()"))


def _parses(word: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True
