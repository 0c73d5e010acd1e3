import numpy as np

from fbm.data.masks.unsupervised.regions import regions_of
from tests.data.masks.moving import moving_square


def test_regions_keep_to_edges_and_cover_the_frame():
    frames, true = moving_square(frames=1)
    regions = regions_of(frames[0], 6, 4.0)
    assert regions.areas.sum() == true[0].size
    shares = np.bincount(regions.labels.ravel(), true[0].ravel(), len(regions.areas)) / np.maximum(regions.areas, 1)
    pure = np.minimum(shares, 1 - shares) < 0.1
    assert (regions.areas * pure).sum() > 0.93 * true[0].size


def test_regions_know_their_colour_and_how_far_inside_they_are():
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[:, 32:] = (255, 255, 255)
    regions = regions_of(frame, 8, 4.0)
    assert regions.grid == (4, 8)
    light, inside = regions.colours[:, 0].reshape(regions.grid), regions.inside.reshape(regions.grid)
    assert light[:, :4].max() == 0
    assert light[:, 4:].min() == 255
    assert inside[1, 1] > 2 * inside[0, 1] > 0
    assert inside.max() < 0.5


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
