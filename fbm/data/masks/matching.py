"""Match videos and masks, both of which have the names of a store."""

from collections.abc import Sequence

from fbm.data.dataset import Video
from fbm.data.masks.source import MaskSource, VideoMasks
from fbm.utils.errors import UserError
from fbm.utils.messages import first_names


def match_masks(videos: Sequence[Video], source: MaskSource | None) -> tuple[dict[str, VideoMasks | None], list[str]]:
    """Find the masks of all videos without a fault.

    Args:
        source: None has no masks, and nothing is unmatched.

    Returns:
        The masks by video name, None for a video without; and a line each for videos without masks and for masks
        without a video.

    Raises:
        UserError: the source does not exist, or all its masks have names of no video.
    """
    if source is None:
        return {}, []
    masks = {video.name: source.masks_for(video.name) for video in videos if not video.fault}
    # The masks of a video with a fault are matched, but not used.
    unmatched = source.unmatched([*masks, *(video.name_in_use for video in videos if video.fault)])
    if masks and unmatched and not any(masks.values()):
        raise UserError(
            f"none of the {len(masks)} videos has masks: there are some for {first_names(unmatched)}, and the videos "
            f"are called {first_names(list(masks))}; masks are looked up by these names below masks.source.folder"
        )
    lines = []
    if bare := [name for name, found in masks.items() if found is None]:
        lines.append(f"{len(bare)} of {len(masks)} videos have no masks, and get empty ones: {first_names(bare)}")
    if unmatched:
        lines.append(f"{len(unmatched)} masks belong to none of the videos: {first_names(unmatched)}")
    return masks, lines
