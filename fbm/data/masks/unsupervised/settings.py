"""The settings of the unsupervised masks."""

from dataclasses import dataclass

from fbm.utils.errors import UserError

VERSION = 2  # of the algorithm: raise it whenever the same settings would give other masks


@dataclass(frozen=True)
class Settings:
    """The settings of the method. Pixels are those of the working size, at most `area` a frame.

    Attributes:
        area: larger frames are scaled down to so many pixels, and their masks up again.
        distances: of the two frames that flow is computed for, forward and backward; 1 first, larger ones detect slow
            motion.
        noise: residual motion of so many pixels is ignored, even in a still frame.
        fences: the residual motion that makes saliency a half, in Tukey's upper fences (Q3 + 1.5 IQR) of the frame.
        slip: forward-backward error of flow, in pixels, up to which it is trusted.
        memory: share of a frame's saliency that is propagated along the flow from its neighbours.
        region: width of a superpixel in pixels in a frame of `area`, narrower in smaller frames.
        neighbours: regions anywhere in the video that vote on a region.
        place: weight of the position among the descriptors, a frame's width against a whole change of colour.
        rounds: of voting.
        cut: how far from the video's median vote to its highest a region must be to count as foreground.
        highest: the quantile of the votes that counts as the highest.
        least: a video whose highest vote is below this gets empty masks: nothing moves in it.
        smallest: parts of a mask below this share of its largest part are dropped.

    Raises:
        UserError: a value that is not allowed.
    """

    area: int = 102_480
    distances: tuple[int, ...] = (1, 3)
    noise: float = 0.2
    fences: float = 2.5
    slip: float = 0.5
    memory: float = 0.7
    region: float = 8.0
    neighbours: int = 20
    place: float = 4.0
    rounds: int = 5
    cut: float = 0.5
    highest: float = 0.995
    least: float = 0.1
    smallest: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "distances", tuple(self.distances))  # a config has a list
        if self.distances[:1] != (1,) or sorted(set(self.distances)) != list(self.distances):
            raise UserError(f"masks: distances={list(self.distances)}: it should be 1, and perhaps growing numbers")
        for name in ("area", "neighbours"):
            _within(name, getattr(self, name), 1, 10**9)
        _within("rounds", self.rounds, 0, 1000)
        _within("region", self.region, 2, 1000)
        for name in ("noise", "slip"):
            _within(name, getattr(self, name), 1e-3, 100)
        _within("fences", self.fences, 0, 100)
        _within("place", self.place, 0, 1000)
        for name in ("memory", "cut", "highest", "least", "smallest"):
            _within(name, getattr(self, name), 0, 1)


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UserError(f"masks: {name}={value}: it should be from {least:g} to {most:g}")
