"""Segments of a file: exactly their frames are stored, and what the file does not have is a fault."""

import numpy as np
import pytest

from fbm.data.dataset import Video, VideoDataset
from fbm.data.decoding.pyav import decode
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare
from tests.data.small_videos import make_video

SIZE = 16
FRAMES, FPS = 200, 25


class Fixed(VideoDataset):
    """Given videos."""

    def __init__(self, videos):
        self._videos = videos

    def videos(self):
        return self._videos

    def selection(self):
        return {}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return make_video(tmp_path_factory.mktemp("long") / "long.mp4", 0, frames=FRAMES)


def part(file, start, end, name="part"):
    return Video(name, file, "Run", 1, "train", start=start, end=end)


def stored(store, *videos, frames="raw"):
    return prepare(Preparation(Fixed(list(videos)), None, "none", store, SIZE, workers=1, timeout=60, frames=frames))


@pytest.mark.parametrize("frames", ["raw", "files"])
@pytest.mark.parametrize(
    ("start", "end", "first", "stop"),
    [(0.0, 1.0, 0, 25), (1.0, 2.5, 25, 62), (4.49, None, 112, 200), (0.0, 8.0, 0, 200), (7.96, 8.0, 199, 200)],
)
def test_exactly_the_frames_of_a_segment_are_read(file, tmp_path, start, end, first, stop, frames):
    done = stored(tmp_path / "store", part(file, start, end), frames=frames)
    row = done.manifest.videos[0]
    assert (row.status, row.first_frame, row.frames) == ("ok", first, stop - first)
    every = np.concatenate(list(decode(file, SIZE)))
    assert np.array_equal(FrameStore(tmp_path / "store").frames("part", 0, row.frames), every[first:stop])


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (7.0, 8.1, "the segment 7-8.1 s is beyond its end: it has 200 frames, 8 s"),
        (8.0, None, "the segment 8-end s is beyond its end: it has 200 frames, 8 s"),
        (1.0, 1.01, "the segment 1-1.01 s is shorter than a frame at 25 a second"),
    ],
)
def test_what_a_file_does_not_have_is_a_fault_of_the_segment(file, tmp_path, start, end, reason):
    row = stored(tmp_path / "store", part(file, start, end), part(file, 0.0, 1.0, "good")).manifest.videos[0]
    assert (row.status, row.reason) == ("short", reason)
    assert [path.name for path in (tmp_path / "store" / "frames").iterdir()] == ["good.npy"]


def test_nothing_behind_a_segment_is_decoded(tmp_path):
    """Damage after the end of a segment does not concern it."""
    path = make_video(tmp_path / "damaged.avi", 0, frames=FRAMES)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    rows = stored(tmp_path / "store", part(path, 0.0, 1.0, "early"), part(path, 0.0, 8.0, "all")).manifest.videos
    assert [row.status for row in rows] == ["ok", "undecodable"]


def test_a_stored_segment_is_kept_and_another_one_is_not_taken_for_it(file, tmp_path):
    store = tmp_path / "store"
    assert stored(store, part(file, 1.0, 2.0)).worked_on == 1
    assert stored(store, part(file, 1.0, 2.0)).worked_on == 0
    done = stored(store, part(file, 2.0, 3.0))
    assert done.worked_on == 1
    assert done.manifest.videos[0].first_frame == 50
    assert stored(store, Video("part", file, "Run", 1, "train")).manifest.videos[0].frames == FRAMES
