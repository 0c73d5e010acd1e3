"""Pictures of the runs' galleries, made small enough to travel inside the page."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fbm.report.page.pretraining import Pretraining
from fbm.report.read.places import shown
from fbm.utils.errors import UserError

# Nine tenths smaller than the gallery's PNG, and the eye sees no difference; the PNG stays in the run's folder.
QUALITY = 90
SWAPS = {
    "swap-motion.png": (
        "Motion swapped: the last foreground that the decoder makes of the foreground of the clip at the left of the "
        "row and the motion of the clip above the column. Margins: the clips, with what is decoded of them alone."
    ),
    "swap-background.png": (
        "Background swapped: the first foreground of the clip at the left of the row, laid over the first background "
        "of the clip above the column. Framed in both grids: a clip with itself."
    ),
}


class Shot(NamedTuple):
    """One picture of a gallery: what to write under it, and itself as a data URI."""

    caption: str
    uri: str


class Album(NamedTuple):
    """Some pictures of one run."""

    run: str
    shots: list[Shot]


def data_uri(picture: Path) -> str:
    """A picture as WebP in text form, to put in a page. UserError if it cannot be read."""
    from PIL import Image  # comes with matplotlib

    packed = io.BytesIO()
    try:
        with Image.open(picture) as image:
            image.convert("RGB").save(packed, "WEBP", quality=QUALITY, method=6)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        raise UserError(f"{shown(picture)}: not a readable picture. Delete it or train again.") from error
    return f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode('ascii')}"


def progress(groups: Sequence[Pretraining]) -> list[Album]:
    """Reconstructions after the first, middle and last drawn epoch, of the lowest seed of each pretraining."""
    albums = [Album(group.first.summary.run, _epochs(group.first.path / "gallery")) for group in groups]
    return [album for album in albums if album.shots]


def _epochs(gallery: Path) -> list[Shot]:
    numbered = ((shot.stem.removeprefix("epoch-"), shot) for shot in gallery.glob("epoch-*.png"))
    shots = sorted((int(number) + 1, shot) for number, shot in numbered if number.isdecimal())
    picked = [shots[at] for at in sorted({0, len(shots) // 2, len(shots) - 1})] if shots else []
    return [Shot(f"After epoch {epoch}", data_uri(shot)) for epoch, shot in picked]


def swaps(groups: Sequence[Pretraining]) -> list[Album]:
    """The swap grids of the lowest seed of each pretraining that drew them."""
    albums = []
    for group in groups:
        gallery = group.first.path / "gallery"
        shots = [Shot(says, data_uri(gallery / name)) for name, says in SWAPS.items() if (gallery / name).is_file()]
        if shots:
            albums.append(Album(group.first.summary.run, shots))
    return albums
