"""Pictures of the runs' galleries, compressed to fit inside the page."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fbm.report.pretraining import Pretraining
from fbm.report.read.runs import RunSet
from fbm.utils.errors import UserError
from fbm.utils.files import shown

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
    galleries = []
    for group in groups:
        named = ((file.stem.removeprefix("epoch-"), file) for file in _folder(group).glob("epoch-*.png"))
        epochs = sorted((int(number) + 1, file) for number, file in named if number.isdecimal())
        picked = [epochs[at] for at in sorted({0, len(epochs) // 2, len(epochs) - 1})] if epochs else []
        galleries.append(_gallery(group, {file: f"After epoch {epoch}" for epoch, file in picked}))
    return [gallery for gallery in galleries if gallery.images]


def swaps(groups: Sequence[Pretraining]) -> list[Gallery]:
    """The swap grids of the lowest seed of each pretraining that drew them."""
    galleries = [
        _gallery(group, {_folder(group) / name: caption for name, caption in SWAPS.items()}) for group in groups
    ]
    return [gallery for gallery in galleries if gallery.images]


def bias_picture(found: RunSet) -> str | None:
    """One clip in the versions of `fbm analyse --bias`, of the first run that has it."""
    files = (run.path / "gallery" / "bias.png" for run in found.of("classify"))
    return next((data_uri(file) for file in files if file.is_file()), None)


def _folder(group: Pretraining) -> Path:
    return group.first.path / "gallery"


def _gallery(group: Pretraining, captions: Mapping[Path, str]) -> Gallery:
    """Those of the pictures that are there."""
    images = [Image(caption, data_uri(file)) for file, caption in captions.items() if file.is_file()]
    return Gallery(group.first.summary.run, images)
