"""From factors to pixels: one group's object and scene, and the clips filmed of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fbm.data.demo.motions import move
from fbm.data.demo.objects import Mask, SyntheticObject, draw, make_object
from fbm.data.demo.scenes import make_scene, pan, view
from fbm.data.demo.settings import HEIGHT, SPARE_FRAMES, WIDTH, Group, Settings, random_for
from fbm.data.demo.textures import Array, draw_palettes


@dataclass(frozen=True)
class Clip:
    """One rendered video: frames `T H W 3` uint8 and the object's exact mask `T H W` bool."""

    frames: npt.NDArray[np.uint8]
    mask: Mask


def render_group(settings: Settings, group: Group) -> Iterator[Clip]:
    """The group's clips in order; none depends on the number of clips."""
    rng = random_for(settings, group.label, group.number, clip=0)
    colours, others = draw_palettes(rng)
    scene = make_scene(group.scene, colours, rng)
    item = make_object(group.object, others, rng)
    for clip in range(1, settings.clips + 1):
        yield _film(settings, group, scene, item, random_for(settings, group.label, group.number, clip))


def _film(settings: Settings, group: Group, scene: Array, item: SyntheticObject, rng: np.random.Generator) -> Clip:
    count = settings.frames + int(rng.integers(SPARE_FRAMES + 1))
    camera = pan(count, rng)
    poses = move(group.motion, count, item.radius, rng)
    frames = np.empty((count, HEIGHT, WIDTH, 3), dtype=np.uint8)
    mask = np.empty((count, HEIGHT, WIDTH), dtype=np.bool_)
    for t in range(count):
        frame = view(scene, float(camera[t, 0]), float(camera[t, 1]))
        mask[t] = draw(frame, item, poses.x[t], poses.y[t], poses.scale[t], poses.angle[t])
        frames[t] = frame + np.float32(0.5)  # colours lie within 0..255: this only rounds
    return Clip(frames, mask)
