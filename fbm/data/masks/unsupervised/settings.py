"""The settings of the unsupervised masks."""

from dataclasses import dataclass

from fbm.utils.errors import UserError

VERSION = 4  # of the algorithm: raise it whenever the same settings would give other masks


@dataclass(frozen=True)
class Settings:
    """The settings of the method. Pixels are those of the working size, at most `area` a frame.

    Attributes:
        area: larger frames are scaled down to so many pixels, and their masks up again.
        distances: of the two frames that flow is computed for, forward and backward; 1 first, larger ones detect slow
            motion.
        noise: residual motion of so many pixels is ignored, even in a still frame.
        spreads: residual motion that makes the evidence a half, in robust standard deviations of the background's.
        slip: forward-backward error of flow, in pixels of a frame of `area`, up to which it is trusted; as much of the
            frame in smaller ones.
        region: width of a superpixel in pixels in a frame of `area`, narrower in smaller frames.
        neighbours: regions anywhere in the video that vote on a region.
        place: weight of the position among the descriptors, a frame's width against a whole change of colour.
        border: weight of the evidence at the frame's edge, against that in its middle.
        rounds: of voting.
        highest: the quantile of the votes that counts as the highest.
        least: a video whose highest vote is below this gets empty masks: nothing moves in it.
        power: of a cut's score, which weighs its mask: 0 takes all cuts alike, a high one only the best.
        cut: share of foreground that a pixel needs.
        smallest: parts of a mask with less than this share of the votes of its largest part are dropped.
        boxes: the smallest upright box around each mask instead of it.

    Raises:
        UserError: a value that is not allowed.
    """

    area: int = 57_600
    distances: tuple[int, ...] = (1, 3)
    noise: float = 0.2
    spreads: float = 5.0
    slip: float = 0.5
    region: float = 7.0
    neighbours: int = 20
    place: float = 4.0
    border: float = 0.5
    rounds: int = 5
    highest: float = 0.99
    least: float = 0.05
    power: float = 3.0
    cut: float = 0.35
    smallest: float = 0.2
    boxes: bool = False

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
        _within("spreads", self.spreads, 0, 100)
        _within("power", self.power, 0, 32)
        _within("place", self.place, 0, 1000)
        for name in ("border", "highest", "least", "cut", "smallest"):
            _within(name, getattr(self, name), 0, 1)

    def scale(self, height: int, width: int) -> float:
        """The width of a frame of this size against one of `area`, of the same shape."""
        return float((height * width / self.area) ** 0.5)


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise UserError(f"masks: {name}={value}: it should be from {least:g} to {most:g}")
