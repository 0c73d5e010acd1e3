import numpy as np

from fbm.data.masks.unsupervised.refine import drop_small, follow_edges


def test_votes_move_to_the_frames_edges():
    frame = np.zeros((40, 40, 3), np.uint8)
    frame[:, 20:] = (200, 120, 40)
    votes = np.zeros((40, 40), np.float32)
    votes[:, 21:] = 1  # a pixel off
    smooth = follow_edges(votes, frame, 4)
    assert smooth[:, 20].min() > 0.6
    assert smooth[:, 19].max() < 0.1


def test_equal_votes_stay():
    frame = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    assert np.allclose(follow_edges(np.full((20, 20), 0.3, np.float32), frame, 3), 0.3, atol=1e-4)


def test_small_parts_go_and_the_largest_always_stays():
    votes = np.zeros((20, 20), np.float32)
    votes[2:12, 2:12], votes[15:17, 15:17] = 1, 1
    assert drop_small(votes, 0.5, 0.1).sum() == 100
    assert drop_small(votes, 0.5, 0.01).sum() == 104
    assert drop_small(votes, 0.5, 1.0).sum() == 100
    assert not drop_small(np.zeros((5, 5), np.float32), 0.5, 0.1).any()
    votes[2:12, 2:12] = 0
    assert drop_small(votes, 0.5, 0.5).sum() == 4


def test_a_part_of_weak_votes_goes_before_one_of_strong_votes():
    votes = np.zeros((20, 20), np.float32)
    votes[2:6, 2:6], votes[10:15, 10:15] = 1, 0.5
    kept = drop_small(votes, 0.4, 0.9)
    assert kept[3, 3]
    assert not kept[12, 12]
