"""What a demo set is made from: the settings, the names of its factors, and where randomness comes from."""

from dataclasses import asdict, dataclass

import numpy as np

from fbm.utils.errors import UserError

HEIGHT, WIDTH, RATE = 120, 160, 25  # pixels, pixels, frames per second
SPARE_FRAMES = 12  # a clip is longer than `frames` by up to so many: real lengths differ
VERSION = 2  # raise it whenever the same settings would give other videos

# The order is the label order and pairs the favourites: class i favours object i and scene i.
CLASSES = ("Bounce", "Orbit", "Pulse", "Shake", "Slide", "Spin")
OBJECTS = ("arrow", "ell", "drop", "moon", "club", "wedge")
SCENES = ("bricks", "waves", "blobs", "stripes", "checks", "clouds")


@dataclass(frozen=True)
class Settings:
    """All settings that affect a demo set; `frames` is the shortest clip's length."""

    seed: int
    groups: int
    test_groups: int
    clips: int
    frames: int
    object_strength: float
    scene_strength: float
    version: int = VERSION

    def __post_init__(self) -> None:
        _within("seed", self.seed, 0, 2**63)
        _within("groups", self.groups, 2, 99)  # names have two digits: g01 to g99
        _within("test_groups", self.test_groups, 1, self.groups - 1)
        _within("clips", self.clips, 1, 99)
        _within("frames", self.frames, 1, 10_000)
        _within("object_strength", self.object_strength, 0, 1)
        _within("scene_strength", self.scene_strength, 0, 1)

    def as_dict(self) -> dict[str, int | float]:
        """Plain numbers by name, as written to `factors.json`."""
        return asdict(self)


@dataclass(frozen=True)
class Group:
    """One group of one class: one object and one scene, shared by all its clips. Numbers as in file names."""

    label: int  # 0-based
    number: int  # 1-based
    object: str
    scene: str

    @property
    def motion(self) -> str:
        """The class name."""
        return CLASSES[self.label]

    def video(self, clip: int) -> str:
        """UCF-101's name of a clip without its ending: `CLASS/v_CLASS_gXX_cYY`."""
        return f"{self.motion}/v_{self.motion}_g{self.number:02d}_c{clip:02d}"


def random_for(settings: Settings, label: int, group: int, clip: int, purpose: int = 0) -> np.random.Generator:
    """A generator for each (class, group, clip), so that adding groups or clips does not change others."""
    return np.random.default_rng([settings.seed, label, group, clip, purpose])


def draw_group(settings: Settings, label: int, number: int) -> Group:
    """Choose the kinds: the favourite with probability `strength`, else any of the six, itself included."""
    rng = random_for(settings, label, number, clip=0, purpose=1)
    return Group(
        label,
        number,
        object=OBJECTS[_choose(rng, label, settings.object_strength)],
        scene=SCENES[_choose(rng, label, settings.scene_strength)],
    )


def draw_groups(settings: Settings) -> list[Group]:
    """All groups in the order of the official lists: by class, then by group number."""
    numbers = range(1, settings.groups + 1)
    return [draw_group(settings, label, number) for label in range(len(CLASSES)) for number in numbers]


def _choose(rng: np.random.Generator, favourite: int, strength: float) -> int:
    coin, other = rng.random(), int(rng.integers(len(CLASSES)))
    return favourite if coin < strength else other


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"demo: {name} must be between {low} and {high}, not {value}")
