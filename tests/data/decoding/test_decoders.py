"""All decoders give the same frames, or refuse a file by name."""

import re
import sys

import numpy as np
import pytest

from fbm.data.decoding import checked
from fbm.data.decoding.checked import CheckedVideo
from fbm.data.decoding.decoders import check_decoder, family, open_video, versions
from fbm.data.decoding.pyav import opened
from fbm.data.decoding.video import VideoError
from fbm.utils.errors import UserError
from tests.data.small_videos import make_video

# Mean absolute difference of a frame, from resizing and converting in the other order: measured 1.6 at most on the real
# files at 64 pixels; the frame before differs by 0.5 to 10.
ROUNDING = 2.5
ODD = {  # what each decoder says of the odd files; None: it gives PyAV's frames
    "plain.mp4": (None, None),
    "preview_first.mov": (None, None),
    "rotated.mp4": (None, None),
    "cut_hevc.mp4": ("finds 37 frames, PyAV 36", None),
    "dropped.avi": ("finds 60 frames, PyAV 82", "finds 60 frames, PyAV 82"),
    "trimmed.mp4": ("finds 49 frames, PyAV 42", "(is a frame late at frame 15|finds 49 frames, PyAV 42)"),
}
REPEATED = (
    "JumpingJack/v_JumpingJack_g20_c01",
    "JumpingJack/v_JumpingJack_g20_c03",
    "JumpingJack/v_JumpingJack_g20_c04",
)


def frames(path, decoder, size=64):
    with open_video(path, decoder) as video:
        return np.concatenate(list(video.decode(size)))


def assert_alike(path, decoder):
    ours, theirs = frames(path, "pyav"), frames(path, decoder)
    assert theirs.dtype == np.uint8
    assert theirs.shape == ours.shape
    assert np.abs(ours.astype(int) - theirs).mean((1, 2, 3)).max() < ROUNDING


def test_demo_videos_are_the_same_frame_for_frame(demo_root, other):
    for path in sorted((demo_root / "UCF-101").rglob("*.avi"))[::6]:
        assert_alike(path, other)


def test_the_header_is_the_same(demo_root, other):
    path = next((demo_root / "UCF-101").rglob("*.avi"))
    with open_video(path, other) as video, open_video(path, "pyav") as ours:
        assert video.header == ours.header


def test_a_frame_may_keep_its_own_size(real_data, other):
    with open_video(real_data / "odd" / "plain.mp4", other) as video:
        assert [batch.shape for batch in video.decode(None)] == [(1, 64, 96, 3)] * 60


def test_pictures_too_narrow_for_decord_are_refused(tmp_path):
    with pytest.raises(VideoError, match="decord mixes up pictures only 48 pixels wide; the decoder pyav reads it"):
        frames(make_video(tmp_path / "a.mp4", 0), "decord")


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_the_same_or_refused(real_data, other, name):
    path, refused = real_data / "odd" / name, ODD[name][other == "torchcodec"]
    if refused is None:
        assert_alike(path, other)
        return
    with pytest.raises(VideoError, match=f"{other} {refused}; the decoder pyav reads it") as caught:
        frames(path, other)
    assert caught.value.status == "undecodable"


def test_an_upright_picture_has_its_own_height_and_width(real_data, other):
    with open_video(real_data / "odd" / "rotated.mp4", other) as video:
        list(video.decode(32))
        assert (video.header.height, video.header.width) == (96, 64)


def test_four_real_classes_are_the_same_or_refused(real_data, other):
    """A seeded sample: decord gives them all, torchcodec none of the AVI files with B-frames."""
    paths = sorted((real_data / "ucf101" / "UCF-101").rglob("*.avi"))
    refused = 0
    for number in np.random.default_rng(0).choice(len(paths), 24, replace=False):
        with opened(paths[number]) as video:
            reordered = video._codec.has_b_frames
        if other == "torchcodec" and reordered:
            with pytest.raises(VideoError, match="torchcodec misnumbers the frames of AVI files with B-frames"):
                frames(paths[number], other)
            refused += 1
        elif not any(str(paths[number]).endswith(f"{name}.avi") for name in REPEATED):
            assert_alike(paths[number], other)
    assert (refused > 0) == (other == "torchcodec")


@pytest.mark.parametrize("name", REPEATED)
def test_a_frame_that_is_dropped_is_found_though_the_number_is_right(real_data, other, name):
    path = real_data / "ucf101" / "UCF-101" / f"{name}.avi"
    with pytest.raises(VideoError, match=rf"{other} is a frame early at frame \d+; the decoder pyav reads it"):
        frames(path, other)


class Given:
    """A decoder that gives these frames."""

    def __init__(self, frames):
        self.frames = frames

    def __len__(self):
        return len(self.frames)

    def at(self, number):
        return self.frames[number]


def read(path, frames):
    with opened(path) as video:
        return np.concatenate(list(CheckedVideo("other", Given(frames), video).decode(None)))


def test_a_shift_in_either_direction_is_found_anywhere(tmp_path):
    path = make_video(tmp_path / "a.mp4", 0)
    true = frames(path, "pyav", None)
    assert (read(path, true) == true).all()
    tinted = np.clip(true.astype(int) // 2 + 60, 0, 255).astype(np.uint8)
    assert (read(path, tinted) == tinted).all()
    for begin in (1, 15, 28):
        late = np.concatenate([true[:begin], true[begin - 1 : -1]])
        with pytest.raises(VideoError, match=r"other is a frame late at frame"):
            read(path, late)
        early = np.concatenate([true[:begin], true[begin + 1 :], true[-1:]])
        with pytest.raises(VideoError, match=r"other is a frame early at frame"):
            read(path, early)


def test_other_numbers_and_other_pictures_are_found(tmp_path):
    path = make_video(tmp_path / "a.mp4", 0)
    true = frames(path, "pyav", None)
    with pytest.raises(VideoError, match="other finds 33 frames, PyAV 34; the decoder pyav reads it"):
        read(path, true[:-1])
    with pytest.raises(VideoError, match="other finds 35 frames, PyAV 34"):
        read(path, np.concatenate([true, true[-1:]]))
    with pytest.raises(VideoError, match="other finds 33 frames, PyAV 34"):  # and not that it is early
        read(path, true[1:])
    with pytest.raises(VideoError, match="other shows another picture at frame 9"):
        read(path, np.concatenate([true[:8], np.zeros_like(true[8:])]))


def test_a_still_picture_cannot_be_late(tmp_path):
    still = np.full((20, 16, 16), 77.0, np.float32)
    comparison = checked._Comparison()
    assert not any(comparison.differs(one, two) for one, two in zip(still + 1, still, strict=True))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "the file is empty"), (b"no video\n" * 99, "not a video that can be opened"), (None, "no such file")],
)
def test_what_is_no_video_has_the_same_fault(tmp_path, decoder, content, reason):
    path = tmp_path / "a.avi"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=reason):
        frames(path, decoder)


def test_damage_is_found_that_the_decoder_conceals(small_root, other):
    path = small_root.video(1)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"00dc", 0, len(content) * 3 // 4) + 8
    content[place + 20 : place + 60] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"frame \d+ is damaged"):
        frames(path, other)


def test_rows_of_a_store_name_the_decoder():
    assert re.fullmatch(r"PyAV \d+[\w.]+, OpenCV \d+[\w.]+", versions("pyav"))
    assert family(versions("pyav")) == family("") == "pyav"


def test_rows_name_another_decoder_and_what_it_was_compared_with(other):
    assert re.fullmatch(rf"{other} \d[\w.+]+, OpenCV \d+[\w.]+, PyAV \d+[\w.]+", versions(other))
    assert family(versions(other)) == other


def test_an_unknown_decoder_is_refused():
    with pytest.raises(UserError, match=r"the decoder 'decrod' is not one of pyav, decord, torchcodec.*decord"):
        check_decoder("decrod")


@pytest.mark.parametrize(("name", "package"), [("decord", "decord2?"), ("torchcodec", "torchcodec")])
def test_a_decoder_that_is_not_installed_is_named_with_the_command(monkeypatch, name, package):
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "ditable" not in str(finder)])
    with pytest.raises(UserError, match=rf"^the decoder {name} is not installed: pip install {package}$"):
        check_decoder(name)


def test_a_decoder_without_its_libraries_says_what_it_needs(tmp_path, monkeypatch):
    (tmp_path / "torchcodec").mkdir()
    (tmp_path / "torchcodec" / "__init__.py").write_text("raise RuntimeError('Could not load libtorchcodec')")
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchcodec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"torchcodec cannot be loaded: it needs FFmpeg's libraries"):
        check_decoder("torchcodec")
