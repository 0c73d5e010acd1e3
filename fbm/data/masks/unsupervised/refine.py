"""From votes of regions to the pixels of a mask."""

import cv2
import numpy as np

EDGE = 1e-3  # variance of colour (of 0 to 1) below which there is no edge to follow


def follow_edges(votes: np.ndarray, frame: np.ndarray, radius: int) -> np.ndarray:
    """Votes smoothed but for the frame's own edges: in every window they are made linear in its colours (He, Sun and
    Tang's guided filter).

    Args:
        votes: float32 `H W`.
        frame: uint8 `H W 3`.
        radius: of the windows, pixels.

    Returns:
        float32 `H W`.
    """

    def window(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REPLICATE)

    guide = frame.astype(np.float32) / 255
    mean, mean_votes = window(guide), window(votes)
    along = window(guide * votes[..., None]) - mean * mean_votes[..., None]
    r, g, b = cv2.split(guide)
    mr, mg, mb = cv2.split(mean)
    rr, gg, bb = (window(c * c) - m * m + EDGE for c, m in ((r, mr), (g, mg), (b, mb)))
    rg, rb, gb = (window(c * d) - m * n for c, d, m, n in ((r, g, mr, mg), (r, b, mr, mb), (g, b, mg, mb)))
    # The inverse of the symmetric 3 x 3 covariance of every window, by its cofactors: a solver is ten times slower.
    c00, c01, c02 = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    scale = 1 / (rr * c00 + rg * c01 + rb * c02)
    vr, vg, vb = cv2.split(along)
    slopes = np.dstack(
        [
            (c00 * vr + c01 * vg + c02 * vb) * scale,
            (c01 * vr + c11 * vg + c12 * vb) * scale,
            (c02 * vr + c12 * vg + c22 * vb) * scale,
        ]
    )
    offset = mean_votes - (slopes * mean).sum(-1)
    return (window(slopes) * guide).sum(-1) + window(offset)  # type: ignore[no-any-return]


def drop_small(votes: np.ndarray, cut: float, share: float) -> np.ndarray:
    """The parts of float32 `H W` above `cut` that hold at least this share of what the largest part holds, bool."""
    mask = votes > cut
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count <= 2:  # the background and one part
        return mask
    held = np.bincount(labels.ravel(), np.where(mask, votes, 0).ravel(), count)
    kept = held >= share * held.max()
    kept[0] = False
    return kept[labels]  # type: ignore[no-any-return]
