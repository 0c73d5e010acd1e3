"""The files of one video, in the forms that UCF-101 and THUMOS'13 use."""

from itertools import groupby
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from fbm.data.demo.objects import Mask
from fbm.data.demo.render import Clip
from fbm.data.demo.settings import HEIGHT, RATE, WIDTH

Box = tuple[int, int, int, int]  # x, y, width, height in pixels


def write_clip(root: Path, video: str, clip: Clip) -> None:
    """Write the video, its box annotation and its masks; the folders must be there."""
    write_avi(root / "UCF-101" / f"{video}.avi", clip.frames)
    xgtf = viper_xml(video, [tight_box(frame) for frame in clip.mask])
    (root / "annotations" / f"{video}.xgtf").write_text(xgtf, encoding="utf-8")
    packed = np.packbits(clip.mask, axis=-1)
    np.savez_compressed(root / "masks" / f"{video}.npz", mask=packed, shape=np.array(clip.mask.shape))


def write_avi(path: Path, frames: npt.NDArray[np.uint8]) -> None:
    """Encode `T H W 3` uint8 as UCF-101 is: MPEG-4 part 2 tagged XVID, in AVI, only the first a keyframe."""
    # bitexact: no library version in the file; a fixed quantiser keeps every frame at the same good quality.
    fixed = {"flags": "bitexact", "qmin": "3", "qmax": "3", "bf": "0", "sc_threshold": "1000000000"}
    with av.open(str(path), "w", format="avi", options={"fflags": "bitexact"}) as file:
        stream = file.add_stream("mpeg4", rate=RATE, options=fixed)
        stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        stream.codec_context.codec_tag = "XVID"
        stream.codec_context.gop_size = 600  # the most that the encoder takes
        stream.codec_context.thread_count = 1  # slices of several threads would differ between machines
        for picture in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


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
