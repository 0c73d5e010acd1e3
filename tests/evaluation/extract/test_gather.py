import numpy as np
import pytest

from fbm.evaluation.extract.decoding import Ended, Failed, Frames
from fbm.evaluation.extract.gather import ClipBatcher, Done


def frames(video, first, count):
    """Frames whose values say which they are: 100 x video + number."""
    return Frames(video, (100 * video + np.arange(first, first + count))[:, None, None, None] * np.ones((1, 1, 1, 3)))


class Sums:
    """Features of a clip: its first frame's value and its sum; remembers the batches."""

    def __init__(self):
        self.batches = []

    def __call__(self, clips):
        self.batches.append(len(clips))
        return np.array([(clip[0, 0, 0, 0], clip.sum()) for clip in clips], np.float32)


MIXED = [
    *(frames(0, 0, 5), frames(1, 0, 4), frames(2, 0, 3), Ended(2, 25.0), frames(0, 5, 6), Ended(0, 10.0)),
    *(frames(3, 0, 9), Failed(3, "cut"), Ended(1, 0.0), Failed(4, "no video")),
]


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_every_video_gets_its_own_rows_whatever_the_batch(batch):
    sums = Sums()
    results = {result.video: result for result in ClipBatcher(sums, 4, 2, batch).run(iter(MIXED))}
    assert results[2] == Failed(2, "too short: 3 frames, a clip has 4")
    assert (results[3], results[4]) == (Failed(3, "cut"), Failed(4, "no video"))
    for video, starts, fps in ((0, [0, 2, 4, 6], 10.0), (1, [0], 0.0)):
        done = results[video]
        assert isinstance(done, Done)
        assert done.rows.starts.tolist() == starts
        assert done.rows.fps == fps
        assert done.rows.features[:, 0].tolist() == [100 * video + start for start in starts]
        clips = [3 * sum(100 * video + start + n for n in range(4)) for start in starts]
        assert done.rows.features[:, 1].tolist() == clips
    assert max(sums.batches) <= batch


def test_clips_of_several_videos_share_a_batch():
    sums = Sums()
    messages = [message for video in range(6) for message in (frames(video, 0, 4), Ended(video, 1.0))]
    assert len(list(ClipBatcher(sums, 4, 4, 4).run(messages))) == 6
    assert sums.batches == [4, 2]


def test_a_video_is_done_as_soon_as_its_rows_are_there():
    results = ClipBatcher(Sums(), 4, 4, 2).run(iter([frames(0, 0, 8), Ended(0, 1.0), frames(1, 0, 4), Ended(1, 1.0)]))
    assert next(results).video == 0


def test_rows_of_a_failed_video_are_forgotten():
    sums = Sums()
    gather = ClipBatcher(sums, 4, 4, 100)
    assert list(gather.run([frames(0, 0, 40), Failed(0, "cut")])) == [Failed(0, "cut")]
    assert sums.batches == []
