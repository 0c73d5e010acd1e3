import numpy as np

from fbm.data.masks.unsupervised.motion import fit_camera, grid_of, saliency
from fbm.data.masks.unsupervised.settings import Settings
from tests.data.masks.moving import moving_square


def test_the_camera_is_what_most_points_follow():
    grid = grid_of(48, 64)
    basis = grid.basis[grid.sample]
    true = np.array([[2.0, -1.0], [0.5, 0.25], [-3.0, 1.0]])
    flow = (basis @ true).astype(np.float32)
    others = np.arange(len(flow)) % 3 == 0  # a third moves otherwise
    flow[others] += (6, 4)
    camera, left = fit_camera(flow, basis)
    assert np.abs(camera - true).max() < 0.05
    assert left[~others].max() < 0.1
    assert left[others].min() > 6


def test_saliency_is_high_on_what_moves_and_low_elsewhere():
    frames, true = moving_square(frames=6)
    salient = saliency(list(frames), Settings())
    assert salient.shape == true.shape
    assert salient.min() >= 0
    assert salient.max() <= 1
    assert salient[true].mean() > 3 * salient[~true].mean()


def test_memory_carries_saliency_along_the_flow():
    """The thing rests in two frames; it is remembered there."""
    frames, true = moving_square(frames=10, pan=0)
    frames[5:7], true[5:7] = frames[4], true[4]
    with_memory, without = (saliency(list(frames), Settings(distances=(1,), memory=m))[5:6] for m in (0.7, 0.0))
    assert with_memory[true[5:6]].mean() > without[true[5:6]].mean() + 0.2
