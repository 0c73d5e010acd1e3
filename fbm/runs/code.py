"""Checksums of the code that produces a result, and which files have changed since."""

import importlib.util
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fbm
from fbm.config.keys import flatten
from fbm.utils.files import checksum

INSTALLED = tuple(Path(sysconfig.get_path(key)).resolve() for key in ("purelib", "platlib", "stdlib", "platstdlib"))


def listing(content: dict[str, Any]) -> str:
    """A line `SHA-256  NAME` for every Python file of fbm and of the user's own modules that a config names.

    Installed packages are recorded by version, see `fbm.runs.provenance`.

    Args:
        content: a run's resolved config.
    """
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(_digests(content)))


def changed(old: str, content: dict[str, Any]) -> list[str]:
    """The files that differ from an earlier listing: changed, added or removed; sorted."""
    then, now = (dict(line.split("  ", 1)[::-1] for line in text.splitlines()) for text in (old, listing(content)))
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _digests(content: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, path in [("fbm", Path(fbm.__file__).parent), *_own(content)]:
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        for file in files:
            try:
                yield str(Path(name) / file.relative_to(path)) if path.is_dir() else file.name, checksum(file)
            except OSError:  # an editor is saving it
                continue


def _own(content: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    """Name and path of the user's own packages and modules that a config names."""
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
