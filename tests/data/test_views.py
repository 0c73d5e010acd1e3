import pytest

from fbm.data.clips import SampleKey
from fbm.data.store.frame_store import FrameStore
from fbm.data.views import ViewDataset, view_starts


@pytest.mark.parametrize(
    ("frames", "clips", "starts"),
    [
        (34, 3, [0, 9, 18]),
        (34, 1, [9]),
        (16, 10, [0]),
        (18, 10, [0, 1, 2]),
        (15, 10, []),
        (106, 10, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
    ],
)
def test_clips_are_spread_from_the_first_frame_to_the_last(frames, clips, starts):
    assert view_starts(frames, 16, clips) == starts


def test_every_test_video_has_its_clips(store):
    frames = FrameStore(store)
    views = ViewDataset(frames, "test", 16, 0, 3, frames.manifest.classes).labelled
    assert views.samples[:4] == [(0, 0), (0, 9), (0, 18), (1, 0)]
    assert len(views) == 36
    batch = views.batch([SampleKey(0, 1), SampleKey(0, 35)])
    assert batch.video.tolist() == [0, 11]
    assert (batch.frames[0].numpy() == frames.frames(views.videos[0].name, 9, 25)).all()
