"""Files of a report: whole or not there at all, and one clear line where they cannot be."""

from pathlib import Path

from fbm.report.read.places import shown
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write


def write(path: Path, content: bytes | str) -> Path:
    """Write `path` in one step, its folder included. UserError where that is not possible."""
    try:
        with atomic_write(path) as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UserError(f"{shown(path)}: cannot be written ({why}). Choose another --out.") from error
    return path
