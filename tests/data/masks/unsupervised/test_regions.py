import numpy as np

from fbm.data.masks.unsupervised.regions import regions_of
from tests.data.masks.moving import moving_square


def test_regions_keep_to_edges_and_cover_the_frame():
    frames, true = moving_square(frames=1)
    regions = regions_of(frames[0], 6, 4.0)
    assert regions.areas.sum() == true[0].size
    shares = regions.mean(true[0].astype(float))
    pure = np.minimum(shares, 1 - shares) < 0.1
    assert (regions.areas * pure).sum() > 0.93 * true[0].size


def test_a_mean_is_over_the_regions_pixels():
    frames, _ = moving_square(frames=1)
    regions = regions_of(frames[0], 8, 4.0)
    values = np.random.default_rng(0).random(frames.shape[1:3])
    assert np.isclose((regions.mean(values) * regions.areas).sum(), values.sum())


def test_descriptors_tell_colours_and_places_apart():
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[:, :32], frame[:, 32:] = (200, 30, 30), (30, 30, 200)
    regions = regions_of(frame, 8, 1.0)
    descriptors = regions.descriptors.reshape(4, 8, -1)
    colour = np.linalg.norm(descriptors[:, 1] - descriptors[:, 6], axis=-1)
    same = np.linalg.norm(descriptors[:, 1] - descriptors[:, 2], axis=-1)
    assert colour.min() > 3 * same.max()
    assert same.min() > 0
    assert np.isfinite(descriptors).all()
