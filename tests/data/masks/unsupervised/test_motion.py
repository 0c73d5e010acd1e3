import cv2
import numpy as np

from fbm.data.masks.unsupervised.flow import flows
from fbm.data.masks.unsupervised.motion import evidence
from fbm.data.masks.unsupervised.regions import regions_of
from fbm.data.masks.unsupervised.settings import Settings
from tests.data.masks.moving import boat_on_water, moving_square

ALL = slice(None)


def painted(frames):
    regions = [regions_of(frame, 6, 4.0) for frame in frames]
    moving = evidence(list(frames), regions, Settings())
    return np.stack([row[here.labels] for row, here in zip(moving, regions, strict=True)])


def test_evidence_is_high_on_what_moves_and_low_elsewhere():
    frames, true = moving_square(frames=6)
    moving = painted(frames)
    assert moving.shape == true.shape
    assert moving.min() >= 0
    assert moving.max() <= 1
    assert moving[true].mean() > 3 * moving[~true].mean()


def test_water_is_less_evidence_than_what_floats_on_it():
    frames, true = boat_on_water(frames=6)
    moving = painted(frames)
    water = ~true
    water[:, :48] = False
    assert moving[true].mean() > 2 * moving[water].mean()


def test_flow_is_trusted_where_it_leads_back():
    frames, true = moving_square(frames=2, step=4, pan=0)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    first, second = flows(grey, (1,), 0.5, ALL)
    assert (first.time, second.time) == (0, 1)
    assert np.abs(np.median(first.motion[true[0]], axis=0) - (4, 0)).max() < 0.5
    assert np.median(first.trust) > 0.9
    uncovered = true[0] & ~true[1]
    assert first.trust[uncovered].mean() < first.trust[~true.any(0)].mean() - 0.1


def test_flow_is_given_for_the_part_that_is_asked_for():
    frames, _ = moving_square(frames=2)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    whole, half = (next(iter(flows(grey, (1,), 0.5, part))) for part in (ALL, slice(1, None, 2)))
    assert np.array_equal(whole.motion[1::2, 1::2], half.motion)
    assert np.allclose(whole.trust[1::2, 1::2], half.trust, atol=1e-5)
