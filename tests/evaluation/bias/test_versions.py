import numpy as np

from fbm.evaluation.bias import versions

COLOUR = np.array([10, 20, 30], np.uint8)


def clip() -> tuple[np.ndarray, np.ndarray]:
    """A white square that moves to the right before a grey of 100."""
    frames, masks = np.full((4, 16, 16, 3), 100, np.uint8), np.zeros((4, 16, 16), bool)
    for at in range(4):
        frames[at, 4:8, at : at + 4], masks[at, 4:8, at : at + 4] = 255, True
    return frames, masks


def test_the_foreground_alone():
    frames, masks = clip()
    made = versions.foreground_only(frames, masks, COLOUR)
    assert (made[masks] == 255).all()
    assert (made[~masks] == COLOUR).all()


def test_the_background_alone_shows_nothing_of_a_square_before_an_even_background():
    frames, masks = clip()
    assert np.abs(versions.background_only(frames, masks, COLOUR).astype(int) - 100).max() <= 2  # it rounds
    assert (frames == 255).any()  # the original is as it was


def test_a_frame_that_is_all_foreground_is_filled_with_a_colour():
    frames, masks = clip()
    masks[2] = True
    made = versions.background_only(frames, masks, COLOUR)
    assert (made[2] == COLOUR).all()
    assert np.abs(made[3].astype(int) - 100).max() <= 2


def test_on_a_background_of_one_frame_or_of_several():
    frames, masks = clip()
    for background in (np.zeros((16, 16, 3), np.uint8), np.zeros((4, 16, 16, 3), np.uint8)):
        made = versions.on_background(frames, masks, background)
        assert (made[masks] == 255).all()
        assert (made[~masks] == 0).all()


def test_stripes_follow_from_the_generator_and_are_the_same_along_them():
    made, again, other = (versions.stripes(32, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert made.shape == (32, 32, 3)
    assert made.dtype == np.uint8
    assert (made == again).all()
    assert (made != other).any()
    assert made.astype(float).std((0, 1)).max() > 10
    # A plane wave between two colours: all pixels are on the line between them.
    assert np.linalg.svd(made.reshape(-1, 3) - made.reshape(-1, 3).mean(0), compute_uv=False)[1] < 40


def test_one_frame_and_all_in_another_order():
    frames = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
    assert (versions.still(frames) == 3).all()
    assert versions.still(frames).shape == frames.shape
    order = versions.shuffled(frames, np.random.default_rng(0))[:, 0, 0, 0].tolist()
    assert sorted(order) == list(range(6)) != order
