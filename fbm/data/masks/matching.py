"""Which video has which masks, and what is left over on either side: both are called by the names of a store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fbm.data.dataset import Video
from fbm.data.masks.source import MaskSource, VideoMasks
from fbm.utils.errors import UserError

NAMED = 5  # names in a line


@dataclass(frozen=True)
class Matched:
    """The masks of videos.

    Attributes:
        masks_of: of every video that may be used, by its name; None where the source has none for it.
        unclaimed: names of masks that no video has.
    """

    masks_of: dict[str, VideoMasks | None]
    unclaimed: list[str]

    @property
    def unmasked(self) -> list[str]:
        """Names of the videos that the source has no masks for."""
        return [name for name, track in self.masks_of.items() if track is None]

    @property
    def told(self) -> list[str]:
        """A line for either side that has something left over."""
        lines = []
        if bare := self.unmasked:
            lines.append(f"{len(bare)} of {len(self.masks_of)} videos have no masks, and get empty ones: {some(bare)}")
        if self.unclaimed:
            lines.append(f"{len(self.unclaimed)} masks are of no video that is asked for: {some(self.unclaimed)}")
        return lines


def match(videos: Sequence[Video], masks: MaskSource | None) -> Matched:
    """Look for the masks of all videos; a video with a fault has its masks, too, but they are not asked for.

    Args:
        masks: None has none, and nothing is left over.

    Raises:
        UserError: the source is not there, or has masks, but for names that no video has.
    """
    if masks is None:
        return Matched({}, [])
    masks_of = {video.name: masks.masks_for(video.name) for video in videos if not video.fault}
    unclaimed = masks.unmatched([*masks_of, *(video.name_in_use for video in videos if video.fault)])
    if masks_of and unclaimed and not any(masks_of.values()):
        raise UserError(
            f"none of the {len(masks_of)} videos has masks: there are some for {some(unclaimed)}, and the videos are "
            f"called {some(list(masks_of))}; masks are looked for by these names below masks.source.folder"
        )
    return Matched(masks_of, unclaimed)


def some(names: Collection[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(list(names)[:NAMED]) + (f" and {more} more" if more > 0 else "")
