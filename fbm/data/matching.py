"""Which video has which masks, and what is left over on either side: both are called by the names of a store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fbm.data.masks.source import MaskSource, MaskTrack
from fbm.data.source import Video
from fbm.utils.errors import UserError

NAMED = 5  # names in a line


@dataclass(frozen=True)
class Matched:
    """The masks of videos.

    Attributes:
        tracks: of every video that may be used, by its name; None where the source has none for it.
        unclaimed: names of masks that no video has.
    """

    tracks: dict[str, MaskTrack | None]
    unclaimed: list[str]

    @property
    def unmasked(self) -> list[str]:
        """Names of the videos that the source has no masks for."""
        return [name for name, track in self.tracks.items() if track is None]

    @property
    def told(self) -> list[str]:
        """A line for either side that has something left over."""
        lines = []
        if bare := self.unmasked:
            lines.append(f"{len(bare)} of {len(self.tracks)} videos have no masks, and get empty ones: {some(bare)}")
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
    tracks = {video.name: masks.track(video.name) for video in videos if not video.fault}
    unclaimed = masks.unclaimed([*tracks, *(video.name_in_use for video in videos if video.fault)])
    if tracks and unclaimed and not any(tracks.values()):
        raise UserError(
            f"none of the {len(tracks)} videos has masks: there are some for {some(unclaimed)}, and the videos are "
            f"called {some(list(tracks))}; masks are looked for by these names below masks.source.folder"
        )
    return Matched(tracks, unclaimed)


def some(names: Collection[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(list(names)[:NAMED]) + (f" and {more} more" if more > 0 else "")
