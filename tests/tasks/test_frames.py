import torch

from fbm.tasks.frames import any_frame_of, gather_first_and, sample_target_frames


def test_every_frame_after_the_first_is_drawn_about_equally_often():
    drawn = sample_target_frames(0, 3, torch.arange(15_000), 16)
    counts = torch.bincount(drawn, minlength=16)
    assert counts[0] == 0
    assert len(counts) == 16
    assert (counts[1:] - 1000).abs().max() < 150  # five standard deviations


def test_what_is_drawn_depends_on_all_three_and_on_nothing_else():
    samples = torch.arange(300)
    drawn = sample_target_frames(0, 0, samples, 16)
    torch.rand(3)
    assert torch.equal(drawn, sample_target_frames(0, 0, samples, 16))
    assert torch.equal(drawn[[5, 299]], sample_target_frames(0, 0, torch.tensor([5, 299]), 16))
    for other in (
        sample_target_frames(1, 0, samples, 16),
        sample_target_frames(0, 1, samples, 16),
        sample_target_frames(0, 0, samples + 1, 16),
    ):
        assert 0.02 < (drawn == other).float().mean() < 0.12  # one in fifteen by chance


def test_a_sample_is_measured_by_one_frame_and_all_frames_alike():
    frames = any_frame_of(torch.arange(30), 16)
    assert torch.bincount(frames).tolist() == [0] + [2] * 15


def test_first_and_asked_frame_with_their_masks():
    clip = torch.arange(2 * 3 * 5 * 4.0).view(2, 3, 5, 2, 2)
    masks = torch.arange(2 * 5 * 4.0).view(2, 5, 2, 2)
    pair, drawn = gather_first_and(torch.tensor([4, 2]), clip, masks)
    assert torch.equal(pair[0], clip[0][:, [0, 4]])
    assert torch.equal(pair[1], clip[1][:, [0, 2]])
    assert torch.equal(drawn[0], masks[0][[0, 4]])
    assert torch.equal(drawn[1], masks[1][[0, 2]])
