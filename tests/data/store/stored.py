"""What is in a store, and a store as an interrupted preparation leaves it."""

from pathlib import Path

from fbm.data.store.journal import JOURNAL, as_line
from fbm.data.store.manifest import MANIFEST, read_manifest


def contents(store: Path) -> dict[str, bytes]:
    """Every file by its path in the store, without the lock, which stays empty."""
    return {str(p.relative_to(store)): p.read_bytes() for p in store.rglob("*") if p.is_file() and p.name != ".lock"}


def unfinish(store: Path) -> None:
    """Leave a journal in place of the manifest, as a kill after the last video does."""
    rows = read_manifest(store).videos
    (store / MANIFEST).unlink()
    (store / JOURNAL).write_text("".join(map(as_line, rows)))
