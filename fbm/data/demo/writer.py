"""The files of a demo set, in the formats of UCF-101 and THUMOS'13: videos, annotations, masks and split lists."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fbm.data.demo.objects import Mask
from fbm.data.demo.render import Clip
from fbm.data.demo.settings import CLASSES, HEIGHT, RATE, WIDTH, Group, Settings
from fbm.data.encode import write_list, write_video
from fbm.data.masks.files import save_packed

Box = tuple[int, int, int, int]  # x, y, width, height in pixels
# A fixed quantiser keeps every frame at the same good quality.
XVID = {"flags": "bitexact", "qmin": "3", "qmax": "3", "bf": "0", "sc_threshold": "1000000000"}


def write_clip(root: Path, video: str, clip: Clip) -> None:
    """Write the video, its box annotation and its masks; the folders must be there."""
    write_avi(root / "UCF-101" / f"{video}.avi", clip.frames)
    xgtf = viper_xml(video, [tight_box(frame) for frame in clip.mask])
    (root / "annotations" / f"{video}.xgtf").write_text(xgtf, encoding="utf-8")
    save_packed(root / "masks" / f"{video}.npz", clip.mask)


def write_avi(path: Path, frames: npt.NDArray[np.uint8]) -> None:
    """Encode `T H W 3` uint8 as UCF-101 is: MPEG-4 part 2 tagged XVID, in AVI, only the first a keyframe."""
    # 600 is the encoder's longest distance of keyframes; several threads would cut slices that depend on the machine.
    write_video(path, frames, RATE, "avi", "mpeg4", XVID, codec_tag="XVID", gop_size=600, thread_count=1)


def write_lists(folder: Path, settings: Settings, groups: list[Group]) -> None:
    """Write `classInd.txt` and the three train and test lists; a group is on one side as a whole."""
    write_list(folder / "classInd.txt", (f"{label} {name}" for label, name in enumerate(CLASSES, start=1)))
    for split in (1, 2, 3):
        test = held_out(settings, split)
        train = (f"{name} {group.label + 1}" for group, name in _videos(settings, groups) if group.number not in test)
        write_list(folder / f"trainlist{split:02d}.txt", train)
        tested = (name for group, name in _videos(settings, groups) if group.number in test)
        write_list(folder / f"testlist{split:02d}.txt", tested)


def held_out(settings: Settings, split: int) -> set[int]:
    """The group numbers that a split tests on: a block of its own, continued at g01 after the last group."""
    first = (split - 1) * settings.test_groups
    return {(first + i) % settings.groups + 1 for i in range(settings.test_groups)}


def _videos(settings: Settings, groups: list[Group]) -> Iterator[tuple[Group, str]]:
    """The group and the file name of every clip."""
    for group in groups:
        for clip in range(1, settings.clips + 1):
            yield group, f"{group.video(clip)}.avi"


def tight_box(mask: Mask) -> Box | None:
    """The smallest box `x, y, width, height` round the true pixels of `H W`; None if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def viper_xml(video: str, boxes: list[Box | None]) -> str:
    """One video's annotation (`.xgtf`) with a single PERSON; equal boxes in a row share one span."""
    spans, first = [], 1
    for box, run in groupby(boxes):
        last = first + len(list(run)) - 1
        if box is not None:
            spans.append(_span(first, last, box))
        first = last + 1
    return _XGTF.format(video=video, count=len(boxes), rate=RATE, width=WIDTH, height=HEIGHT, spans="\n".join(spans))


def _span(first: int, last: int, box: Box) -> str:
    x, y, width, height = box
    return f'          <data:bbox framespan="{first}:{last}" height="{height}" width="{width}" x="{x}" y="{y}"/>'


_XGTF = """<?xml version="1.0" encoding="UTF-8"?>
<viper xmlns="http://lamp.cfar.umd.edu/viper#" xmlns:data="http://lamp.cfar.umd.edu/viperdata#">
  <config>
    <descriptor name="Information" type="FILE">
      <attribute dynamic="false" name="NUMFRAMES" type="http://lamp.cfar.umd.edu/viperdata#dvalue"/>
      <attribute dynamic="false" name="FRAMERATE" type="http://lamp.cfar.umd.edu/viperdata#fvalue"/>
      <attribute dynamic="false" name="H-FRAME-SIZE" type="http://lamp.cfar.umd.edu/viperdata#dvalue"/>
      <attribute dynamic="false" name="V-FRAME-SIZE" type="http://lamp.cfar.umd.edu/viperdata#dvalue"/>
    </descriptor>
    <descriptor name="PERSON" type="OBJECT">
      <attribute dynamic="true" name="Location" type="http://lamp.cfar.umd.edu/viperdata#bbox"/>
    </descriptor>
  </config>
  <data>
    <sourcefile filename="{video}.avi">
      <file id="0" name="Information">
        <attribute name="NUMFRAMES"><data:dvalue value="{count}"/></attribute>
        <attribute name="FRAMERATE"><data:fvalue value="{rate}.0"/></attribute>
        <attribute name="H-FRAME-SIZE"><data:dvalue value="{width}"/></attribute>
        <attribute name="V-FRAME-SIZE"><data:dvalue value="{height}"/></attribute>
      </file>
      <object framespan="1:{count}" id="0" name="PERSON">
        <attribute name="Location">
{spans}
        </attribute>
      </object>
    </sourcefile>
  </data>
</viper>
"""
