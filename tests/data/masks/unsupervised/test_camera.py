import numpy as np

from fbm.data.masks.unsupervised.camera import fit, grid_of, layers, unlike
from fbm.data.masks.unsupervised.settings import Settings

CAMERA = np.array([[2.0, -1.0], [0.5, 0.25], [-3.0, 1.0]])


def scene(height=48, width=64):
    grid = grid_of(height, width)
    return grid, (grid.basis @ CAMERA).astype(np.float32).reshape(height, width, 2), np.ones((height, width))


def test_the_camera_is_what_most_points_follow():
    grid, motion, _ = scene()
    basis, flow = grid.basis[grid.sample], motion.reshape(-1, 2)[grid.sample]
    others = np.arange(len(flow)) % 3 == 0  # a third moves otherwise
    flow[others] += (6, 4)
    camera, left = fit(flow, basis, np.ones(len(flow)))
    assert np.abs(camera - CAMERA).max() < 0.05
    assert left[~others].max() < 0.1
    assert left[others].min() > 6


def test_a_near_ground_along_the_border_is_background_too():
    grid, motion, trust = scene()
    motion[36:] += (12, 0)
    motion[12:24, 24:40] += (-4, 3)
    found = layers(motion, trust, grid, Settings())
    assert len(found) == 2
    away = unlike(motion, found, grid, Settings())
    assert away[12:24, 24:40].min() > 0.9
    assert np.delete(away, np.s_[12:24], axis=0).max() < 0.1


def test_a_large_object_within_the_frame_is_no_background():
    grid, motion, trust = scene()
    motion[8:40, 12:52] += (5, 0)
    found = layers(motion, trust, grid, Settings())
    assert len(found) == 1
    assert unlike(motion, found, grid, Settings())[8:40, 12:52].min() > 0.9


def test_any_frame_has_a_layer():
    for height, width in ((1, 1), (1, 40), (5, 7), (30, 2)):
        grid = grid_of(height, width)
        assert len(layers(np.zeros((height, width, 2), np.float32), np.zeros((height, width)), grid, Settings())) == 1
