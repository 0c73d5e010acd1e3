import numpy as np
import pytest

from fbm.evaluation.extract.windows import SlidingWindow


@pytest.mark.parametrize("length", [1, 4, 16])
@pytest.mark.parametrize("stride", [1, 3, 4, 16, 40])
@pytest.mark.parametrize("batches", [[100], [1] * 100, [64, 36], [7, 0, 50, 43], [3]])
def test_windows_of_a_stream_are_those_of_the_whole_video(length, stride, batches):
    video = np.arange(sum(batches))[:, None, None, None] * np.ones((1, 2, 2, 3), int)
    windows = SlidingWindow(length, stride)
    found = []
    for end, count in zip(np.cumsum(batches), batches, strict=True):
        found += list(windows.feed(video[end - count : end]))
    assert windows.seen == len(video)
    assert [start for start, _ in found] == list(range(0, len(video) - length + 1, stride))
    assert all(np.array_equal(clip, video[start : start + length]) for start, clip in found)


def test_a_long_stream_is_not_kept():
    windows = SlidingWindow(16, 16)
    batch = np.zeros((64, 8, 8, 3), np.uint8)
    for _ in range(20):
        list(windows.feed(batch[:61]))
        assert windows._kept is not None
        assert len(windows._kept) < 16
