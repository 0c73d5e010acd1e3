"""`data.frames=jpeg` and `webp`: every frame a compressed picture, all of a video in one array file.

The array is uint8 of one dimension: the pictures one after the other, then where each begins and the last one ends,
int64 in little endian. That last number is also where these numbers begin.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import xxhash

from fbm.data.store.array import REPLACE, IntegrityError, StoreArray, write_header
from fbm.data.store.kinds.kind import FrameKind, Written
from fbm.data.store.manifest import StoredVideo, frames_file
from fbm.utils.files import atomic_write

Encoding = Literal["jpeg", "webp"]
DEFAULT_QUALITY = 90
# Share of the uncompressed size by quality, measured on UCF-101 at 128 x 128; a third more at 64 x 64.
SHARES = {
    "jpeg": {1: 0.02, 75: 0.083, 85: 0.107, 90: 0.131, 95: 0.18, 98: 0.255, 100: 0.4},
    "webp": {1: 0.008, 75: 0.043, 80: 0.051, 90: 0.079, 95: 0.108, 100: 0.147},
}
OFFSET = np.dtype("<i8")


@dataclass(frozen=True)
class EncodedFrames(StoreArray):
    """A video's compressed frames, one dimension: `count` pictures of `pixels` x `pixels`."""

    count: int
    pixels: int

    def check_all(self) -> None:
        self.check()
        values, frame = self.opened(), np.empty((1, self.pixels, self.pixels, 3), np.uint8)
        for number in range(self.count):
            self.fill(values, number, frame)

    def fill(self, opened: np.ndarray, start: int, frames: np.ndarray, interval: int = 1) -> None:
        cv2.setNumThreads(1)  # parallel over processes, not within one
        table = opened[len(opened) - (self.count + 1) * OFFSET.itemsize :].view(OFFSET)
        offsets = table[start : start + (len(frames) - 1) * interval + 2].tolist()
        for number, place in zip(range(0, len(frames) * interval, interval), frames, strict=True):
            picture = cv2.imdecode(opened[offsets[number] : offsets[number + 1]], cv2.IMREAD_COLOR)
            if picture is None or picture.shape != place.shape:
                raise IntegrityError(f"is not what was stored (frame {start + number} does not decode)", REPLACE)
            cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, place)


@dataclass(frozen=True)
class Encoded(FrameKind):
    """Compressed frames.

    Attributes:
        quality: 1 to 100.
    """

    encoding: Encoding
    quality: int = DEFAULT_QUALITY

    @property
    def name(self) -> str:
        return self.encoding

    def file(self, store: Path, size: int, video: StoredVideo) -> EncodedFrames:
        path, shape = frames_file(store, video.name), (video.frames_bytes,)
        return EncodedFrames(path, shape, video.checksum, count=video.frames, pixels=size)

    def write(self, path: Path, scratch: Path | None, batches: Iterable[np.ndarray], size: int) -> Written:
        cv2.setNumThreads(1)
        digest, offsets = xxhash.xxh3_128(), [0]
        with atomic_write(path) as file:
            write_header(file, (0,))
            for batch in batches:
                for frame in batch:
                    picture = self._encoded(frame)
                    file.write(picture.data)
                    digest.update(picture.data)
                    offsets.append(offsets[-1] + len(picture))
            table = np.array(offsets, OFFSET).tobytes()
            file.write(table)
            digest.update(table)
            length = offsets[-1] + len(table)
            file.seek(0)
            write_header(file, (length,))
        return Written(len(offsets) - 1, digest.hexdigest(), length)

    def bytes_for(self, frames: int, size: int) -> int:
        shares = SHARES[self.encoding]
        return round(frames * size * size * 3 * float(np.interp(self.quality, [*shares], [*shares.values()])))

    def _encoded(self, frame: np.ndarray) -> np.ndarray:
        """The bytes of a picture file, from RGB `size size 3`."""
        if self.encoding == "jpeg":
            # Chroma at full resolution: at this size, halving it costs 2 dB and saves a fifth.
            full = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
            ending, options = ".jpg", [cv2.IMWRITE_JPEG_QUALITY, self.quality]
            options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full]
        else:
            ending, options = ".webp", [cv2.IMWRITE_WEBP_QUALITY, self.quality]
        done, picture = cv2.imencode(ending, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
        assert done
        return picture
