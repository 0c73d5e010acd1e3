"""Pictures of the runs' galleries, compressed to fit inside the page."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fbm.report.pretraining import Pretraining
from fbm.report.read.files import shown
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


class Image(NamedTuple):
    """One picture of a gallery: what to write under it, and itself as a data URI."""

    caption: str
    uri: str


class Gallery(NamedTuple):
    """Some pictures of one run."""

    run: str
    images: list[Image]


def data_uri(picture: Path) -> str:
    """A picture as WebP in text form, to put in a page. UserError if it cannot be read."""
    import PIL.Image  # comes with matplotlib

    packed = io.BytesIO()
    try:
        with PIL.Image.open(picture) as image:
            image.convert("RGB").save(packed, "WEBP", quality=QUALITY, method=6)
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        raise UserError(f"{shown(picture)}: not a readable picture. Delete it or train again.") from error
    return f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode('ascii')}"


def progress(groups: Sequence[Pretraining]) -> list[Gallery]:
    """Reconstructions after the first, middle and last drawn epoch, of the lowest seed of each pretraining."""
    galleries = [Gallery(group.first.summary.run, _epochs(group.first.path / "gallery")) for group in groups]
    return [gallery for gallery in galleries if gallery.images]


def _epochs(gallery: Path) -> list[Image]:
    numbered = ((image.stem.removeprefix("epoch-"), image) for image in gallery.glob("epoch-*.png"))
    images = sorted((int(number) + 1, image) for number, image in numbered if number.isdecimal())
    picked = [images[at] for at in sorted({0, len(images) // 2, len(images) - 1})] if images else []
    return [Image(f"After epoch {epoch}", data_uri(image)) for epoch, image in picked]


def swaps(groups: Sequence[Pretraining]) -> list[Gallery]:
    """The swap grids of the lowest seed of each pretraining that drew them."""
    galleries = []
    for group in groups:
        gallery = group.first.path / "gallery"
        drawn = {gallery / name: caption for name, caption in SWAPS.items() if (gallery / name).is_file()}
        images = [Image(caption, data_uri(file)) for file, caption in drawn.items()]
        if images:
            galleries.append(Gallery(group.first.summary.run, images))
    return galleries
