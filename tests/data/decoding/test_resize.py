import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from fbm.data.decoding.pyav import decode
from fbm.data.decoding.resize import BATCH, rgb_frames

BARS = [(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)]
EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT  # without them swscale is 1.4 levels too dark


def bars(width=160, height=96):
    """Eight colour bars, uint8 `height width 3`."""
    return np.repeat(np.array(BARS, np.uint8)[None], height, axis=0).repeat(width // 8, axis=1)


def frame(picture, layout, space=5, full=False):
    """A frame of these colours, in AVColorSpace `space` (5: BT.601)."""
    made = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format=layout, dst_colorspace=space, dst_color_range="JPEG" if full else "MPEG", interpolation=EXACT
    )
    made.colorspace, made.color_range = space, 2 if full else 1
    return made


def only(made, size):
    (batch,) = rgb_frames([made], size)
    return batch[0].astype(int)


def off(one, other):
    """The mean absolute difference."""
    return np.abs(one.astype(int) - other).mean()


@pytest.mark.parametrize("layout", ["yuv444p", "yuv422p", "yuv420p", "yuv411p", "yuv410p", "yuvj420p", "yuvj444p"])
@pytest.mark.parametrize(("space", "full"), [(5, False), (5, True), (1, False), (1, True), (9, False)])
def test_colours_are_those_that_went_in(layout, space, full):
    found = only(frame(bars(), layout, space, full or layout.startswith("yuvj")), 64)
    middles = found[32, 4::8]
    assert np.abs(middles - np.array(BARS)).max() <= 3


@pytest.mark.parametrize("layout", ["rgb24", "bgra", "gbrp", "nv12", "yuv420p10le", "yuva420p", "gray"])
def test_other_formats_are_converted_first(layout):
    picture = bars() if layout != "gray" else bars().mean(2, keepdims=True).repeat(3, axis=2).astype(np.uint8)
    made = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=layout, interpolation=EXACT)
    assert np.abs(only(made, 64)[32, 4::8] - picture[0, 10::20]).max() <= 3


def test_ten_bits_of_another_colour_space_keep_their_colours():
    made = frame(bars(), "yuv420p10le", space=1, full=True)
    assert np.abs(only(made, 64)[32, 4::8] - np.array(BARS)).max() <= 3


@pytest.mark.parametrize("size", [64, 112, 128])
def test_real_frames_are_those_of_an_exact_resize(real_data, size):
    path = real_data / "ucf101" / "UCF-101" / "JumpingJack" / "v_JumpingJack_g01_c01.avi"
    found = np.concatenate(list(decode(path, size)))[::10]
    with av.open(str(path)) as file:
        theirs = [
            made.reformat(size, size, "rgb24", interpolation=Interpolation.AREA | EXACT).to_ndarray()
            for number, made in enumerate(file.decode(video=0))
            if number % 10 == 0
        ]
    assert off(found, np.stack(theirs)) < 1.0
    assert np.abs((found.astype(int) - np.stack(theirs)).mean((0, 1, 2))).max() < 0.5  # neither darker nor tinted


@pytest.mark.parametrize("ratio", [1.25, 1.875, 2, 2.5, 3, 4, 6.5, 9])
def test_nothing_is_shifted_and_what_is_too_fine_is_grey(ratio):
    size = 32
    side = int(size * ratio)
    ramp = np.linspace(20, 230, side)[None, :, None].repeat(side, 0).repeat(3, 2)
    inner = slice(2, -2)  # a filter at the border sees less than its width
    where = (np.arange(size) + 0.5) * side / size - 0.5
    expected = np.interp(where, np.arange(side), ramp[0, :, 0])
    for turned in (ramp, ramp.swapaxes(0, 1)):
        found = only(frame(turned.round().astype(np.uint8), "yuv444p"), size)[..., 0]
        along = found[size // 2] if turned is ramp else found[:, size // 2]
        assert np.abs(along - expected)[inner].max() < 2  # half a pixel would be 3 and more
    if ratio >= 3:
        checks = np.indices((side, side)).sum(0)[..., None].repeat(3, 2) % 2 * 255
        assert np.abs(only(frame(checks.astype(np.uint8), "yuv444p"), size)[inner, inner] - 127).max() < 45


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 31), (320, 240), (641, 7), (2, 2)])
def test_any_size_becomes_any_other(width, height):
    for size in (1, 8, 48, 100):
        grey = np.full((height, width, 3), 77, np.uint8)
        assert np.abs(only(frame(grey, "yuv420p"), size) - 77).max() <= 1


def test_frames_may_change_size_format_and_colours_on_the_way():
    kinds = [
        frame(bars(160, 96), "yuv420p"),
        frame(bars(240, 32), "yuv420p"),
        frame(bars(), "yuvj444p", full=True),
        frame(bars(), "yuv420p", space=1),
        frame(bars(), "yuv420p10le"),
    ]
    order = [kind for kind in kinds for _ in range(BATCH + 1)]
    found = np.concatenate(list(rgb_frames(order, 64)))
    assert len(found) == len(order)
    for number, made in enumerate(order):
        assert (found[number] == only(made, 64)).all()
        assert np.abs(found[number][32, 4::8].astype(int) - np.array(BARS)).max() <= 3


def test_batches_are_arrays_of_their_own():
    made = [frame(np.full((16, 16, 3), value, np.uint8), "yuv420p") for value in range(20, 20 + 2 * BATCH)]
    first, second = rgb_frames(made, 8)
    assert np.abs(first[:, 0, 0, 0].astype(int) - np.arange(20, 20 + BATCH)).max() <= 2
    assert np.abs(second[:, 0, 0, 0].astype(int) - np.arange(20 + BATCH, 20 + 2 * BATCH)).max() <= 2


def test_no_frame_is_no_batch():
    assert list(rgb_frames([], 8)) == []


def test_a_file_whose_picture_changes_its_size_is_read_whole(tmp_path):
    parts = []
    for width, height, layout in ((64, 48, "yuvj420p"), (160, 96, "yuvj444p")):
        part = tmp_path / f"{layout}.mjpeg"
        with av.open(str(part), "w") as file:
            stream = file.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, layout
            for _ in range(3):
                file.mux(stream.encode(frame(bars(width, height), layout, full=True)))
            file.mux(stream.encode(None))
        parts.append(part.read_bytes())
    both = tmp_path / "both.mjpeg"
    both.write_bytes(b"".join(parts))
    found = np.concatenate(list(decode(both, 64)))
    assert len(found) == 6
    assert np.abs(found[:, 32, 4::8].astype(int) - np.array(BARS)).max() < 20
