"""The settings that a store was prepared with, which are the defaults of `fbm train`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fbm.data.dataset import Video
from fbm.data.store.manifest import MANIFEST, read_manifest
from fbm.utils.errors import UserError
from fbm.utils.messages import first_names


def read_store_settings(store: Path) -> dict[str, Any]:
    """The settings of a store by key, from the first line of its manifest; empty if that cannot be read.

    Faults of a store are reported by `read_manifest`.
    """
    try:
        with (store / MANIFEST).open() as file:
            head = json.loads(file.readline().rpartition(', "videos": [')[0] + "}")
        kept = {
            "frames": head.get("frames", "raw"),
            "quality": head.get("quality"),
            "decoder": head.get("decoder", "pyav"),
        }
        return {"size": head["size"], "masks": head["masks"], **kept, **head["selection"], **head.get("settings", {})}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def check_keeps_classes(store: Path, videos: Iterable[Video]) -> None:
    """Check that preparing `videos` keeps all classes of a store; otherwise its runs would find other data.

    Raises:
        UserError: classes would be lost.
    """
    if not (store / MANIFEST).is_file():
        return
    classes = read_manifest(store).classes
    kept = {video.action.casefold() for video in videos}
    if gone := [name for name in classes if name.casefold() not in kept]:
        raise UserError(
            f"{len(gone)} of the {len(classes)} classes in the store {store} would leave it "
            f"({first_names(gone, 3)}): name another store, data.store=PATH, or take them out with "
            "prepare.drop_classes=true (their frames are kept)"
        )
