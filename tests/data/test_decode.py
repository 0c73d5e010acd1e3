import os
from contextlib import suppress

import av
import numpy as np
import pytest

from fbm.data.decode import VideoError, count_packets, decode, decoder, read_header

REAL = [  # (file, whether its frames are stored in another order than shown)
    ("BabyCrawling/v_BabyCrawling_g02_c01", True),
    ("BabyCrawling/v_BabyCrawling_g25_c01", None),
    ("BodyWeightSquats/v_BodyWeightSquats_g05_c03", True),
    ("BodyWeightSquats/v_BodyWeightSquats_g01_c01", False),
    ("JumpingJack/v_JumpingJack_g01_c01", False),
    ("PushUps/v_PushUps_g01_c01", False),
    ("Basketball/v_Basketball_g01_c01", False),
    ("SoccerJuggling/v_SoccerJuggling_g23_c01", False),
]


def sequential(path, size):
    """Every frame as PyAV reads it from the first to the last, resized as decord does."""
    with av.open(str(path)) as file:
        pictures = (frame.reformat(size, size, "rgb24", interpolation="BILINEAR") for frame in file.decode(video=0))
        return np.stack([picture.to_ndarray() for picture in pictures])


def difference(one, other):
    """Mean absolute difference of each frame."""
    return np.abs(one.astype(np.int16) - other).mean((1, 2, 3))


@pytest.mark.parametrize(("name", "reordered"), REAL)
def test_frames_of_real_files_are_those_of_a_sequential_read(real_data, name, reordered):
    path = real_data / "ucf101" / "UCF-101" / f"{name}.avi"
    with av.open(str(path)) as file:
        assert reordered is None or file.streams.video[0].codec_context.has_b_frames == reordered
    ours, theirs = np.concatenate(list(decode(path, 64))), sequential(path, 64)
    assert ours.dtype == np.uint8
    assert ours.shape == theirs.shape
    same = difference(ours, theirs)
    assert same.max() < 1.0
    # Small against what being one frame off would do: three quarters of the frames at least move that much.
    later, earlier = difference(ours[1:], theirs[:-1]), difference(ours[:-1], theirs[1:])
    assert np.quantile(later, 0.25) > 1.1 * same.max()
    assert np.quantile(earlier, 0.25) > 1.1 * same.max()


def test_the_header_is_what_the_container_says(real_data):
    path = real_data / "ucf101" / "UCF-101" / "Basketball" / "v_Basketball_g01_c01.avi"
    header = read_header(path)
    assert (header.frames, header.width, header.height) == (141, 320, 240)
    assert header.fps == pytest.approx(29.97, abs=0.01)
    assert count_packets(path) == 141


def test_a_demo_video_is_decoded_in_order_and_resized_without_its_aspect(small_root):
    path = small_root.video(0)
    for size in (33, 64, 112):
        frames = np.concatenate(list(decode(path, size)))
        assert frames.shape == (read_header(path).frames, size, size, 3)
        assert difference(frames, sequential(path, size)).max() < 1.0


def test_the_decoder_has_a_name_and_a_version():
    name, version = decoder().split()
    assert name.startswith("decord")
    assert version[0].isdigit()


def broken(path, how):
    whole = path.read_bytes()
    if how == "directory":
        path.unlink()
        path.mkdir()
    elif how == "gone":
        path.unlink()
    else:
        rng = np.random.default_rng(0)
        content = {
            "empty": b"",
            "random": rng.bytes(20_000),
            "text": b"this is no video\n" * 100,
            "half": whole[: len(whole) // 2],
            "header only": whole[:1000],
            "sound": b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x44\xac\x00\x00\x88\x58\x01\x00"
            b"\x02\x00\x10\x00data" + bytes(2000),
        }
        path.write_bytes(content[how])
    return path


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("gone", "missing", "no such file"),
        ("directory", "missing", "no such file"),
        ("empty", "undecodable", "the file is empty"),
        ("random", "undecodable", "not a video that can be opened: Invalid data"),
        ("text", "undecodable", "not a video that can be opened: Invalid data"),
        ("header only", "undecodable", "not a video that can be opened"),
        ("sound", "undecodable", "no video stream"),
        ("half", "short", r"the file is cut: \d+ of the \d+ frames"),
    ],
)
def test_a_broken_file_has_its_status_and_reason(small_root, how, status, reason):
    path = broken(small_root.video(1), how)
    with pytest.raises(VideoError, match=reason) as caught:
        list(decode(path, 32))
    assert caught.value.status == status


def test_damage_anywhere_is_reported_or_survived_but_never_another_error(small_root):
    path = small_root.video(1)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for number in range(40):
        content = bytearray(whole)
        for place in rng.integers(len(whole) if number % 2 else 6000, size=rng.integers(1, 40)):
            content[place] = rng.integers(256)
        path.write_bytes(content)
        for read in (read_header, count_packets, lambda file: list(decode(file, 32))):
            with suppress(VideoError):
                read(path)


def test_a_title_that_is_not_utf_8_is_no_damage(small_root):
    path = small_root.video(1)
    frames = read_header(path).frames
    titled = path.with_name("titled.avi")
    with av.open(str(path)) as old, av.open(str(titled), "w", format="avi") as new:
        new.metadata["title"] = "caf#"
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    content = titled.read_bytes()
    assert content.count(b"caf#") == 1
    titled.write_bytes(content.replace(b"caf#", b"caf\xe9"))
    assert read_header(titled).frames == frames
    assert len(np.concatenate(list(decode(titled, 32)))) == frames


def test_a_named_pipe_does_not_hang(small_root):
    path = small_root.video(1)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(VideoError, match=r"no such file"):
        read_header(path)
