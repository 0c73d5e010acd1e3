import pytest
import torch

from fbm.data.batch import ClipBatch
from fbm.evaluation.scoring.variants import recoloured, shuffled


def batch(samples: list[int], videos: list[int]) -> ClipBatch:
    rng = torch.Generator().manual_seed(0)
    frames = torch.randint(256, (len(samples), 8, 6, 6, 3), dtype=torch.uint8, generator=rng)
    empty = torch.zeros(len(samples))
    return ClipBatch(frames, empty, empty, torch.tensor(videos), torch.tensor(samples), empty.bool())


def test_shuffled_frames_are_the_same_frames_the_first_one_first():
    some = batch([4, 5], [0, 0])
    made = shuffled(some.frames, some)
    assert torch.equal(made[:, 0], some.frames[:, 0])
    for clip, other in zip(some.frames, made, strict=True):
        assert not torch.equal(clip, other)
        assert sorted(clip.flatten(1).sum(1).tolist()) == sorted(other.flatten(1).sum(1).tolist())
        assert all(any(torch.equal(frame, one) for one in clip) for frame in other)


def test_recoloured_frames_keep_every_edge_but_no_colour():
    some = batch([0, 1, 2], [3, 3, 8])
    made = recoloured(some.frames, some)
    assert made.dtype == torch.uint8
    before, after = (clips.int().diff(dim=3).abs().sum(-1) for clips in (some.frames, made))
    assert torch.equal(before, after)
    assert all(not torch.equal(one, other) for one, other in zip(some.frames, made, strict=True))


@pytest.mark.parametrize("change", [shuffled, recoloured])
def test_the_change_follows_from_the_clip_wherever_it_stands_in_a_batch(change):
    some = batch([4, 5], [0, 1])
    both = change(some.frames, some)
    for place in (0, 1):
        alone = ClipBatch(*(field[place : place + 1] for field in some))
        assert torch.equal(change(alone.frames, alone)[0], both[place])


def test_a_video_has_one_colouring_and_videos_have_several():
    frames = torch.randint(256, (1, 2, 4, 4, 3), dtype=torch.uint8).expand(40, -1, -1, -1, -1)
    some = batch(list(range(40)), [number // 2 for number in range(40)])._replace(frames=frames)
    made = recoloured(frames, some)
    assert all(torch.equal(made[2 * video], made[2 * video + 1]) for video in range(20))
    assert len({tuple(made[2 * video].flatten().tolist()) for video in range(20)}) > 10
