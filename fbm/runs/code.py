"""The code that makes a result, file by file: what it was, and whether it is still that."""

import importlib.util
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fbm
from fbm.config.compose import flatten
from fbm.utils.files import checksum

INSTALLED = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib", "stdlib", "platstdlib"))


def listing(content: dict[str, Any]) -> str:
    """A line `SHA-256  NAME` for every file of Python code in fbm, and in the user's own modules that a config names.

    What is installed beside fbm is told by its version.

    Args:
        content: a run's resolved config.
    """
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(_digests(content)))


def changed(old: str, content: dict[str, Any]) -> list[str]:
    """The files that are not what they were in an earlier listing: changed, new or gone; sorted."""
    then, now = (dict(line.split("  ", 1)[::-1] for line in text.splitlines()) for text in (old, listing(content)))
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _digests(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, path in [("fbm", Path(fbm.__file__).parent), *_own(content)]:
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            try:
                yield str(Path(name) / file.relative_to(path)) if path.is_dir() else file.name, checksum(file)
            except OSError:  # an editor is just saving it
                continue


def _own(content: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    """The packages and modules of a user's own that a config names: name and place."""
    targets = [value for key, value in flatten(content).items() if key.rpartition(".")[2] == "_target_"]
    for name in sorted({str(target).split(".")[0] for target in targets} - {"fbm"}):
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            continue
        if found is None:
            continue
        for place in found.submodule_search_locations or [found.origin or ""]:
            path = Path(place).resolve()
            if path.exists() and not any(path.is_relative_to(folder) for folder in INSTALLED):
                yield name, path
