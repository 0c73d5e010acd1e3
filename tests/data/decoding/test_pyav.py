import os
from contextlib import suppress

import av
import numpy as np
import pytest

from fbm.data.decoding.pyav import count_packets, decode, metadata_errors, opened, read_header
from fbm.data.decoding.resize import rgb_frames
from fbm.data.decoding.video import VideoError

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


def shown(path):
    """Every frame as PyAV reads it from the first to the last."""
    with av.open(str(path)) as file:
        yield from file.decode(video=0)


def decoded(path, size):
    return np.concatenate(list(decode(path, size)))


@pytest.mark.parametrize(("name", "reordered"), REAL)
def test_frames_of_real_files_are_those_of_a_sequential_read(real_data, name, reordered):
    path = real_data / "ucf101" / "UCF-101" / f"{name}.avi"
    with av.open(str(path)) as file:
        assert reordered is None or file.streams.video[0].codec_context.has_b_frames == reordered
    ours, theirs = decoded(path, 64), np.concatenate(list(rgb_frames(shown(path), 64)))
    assert ours.dtype == np.uint8
    assert ours.shape == (read_header(path).frames, 64, 64, 3)
    assert (ours == theirs).all()


def test_a_frame_that_is_stored_as_being_the_one_before_is_there_twice(real_data):
    """Without it the 57 frames after it would be one early, against their annotation."""
    path = real_data / "ucf101" / "UCF-101" / "JumpingJack" / "v_JumpingJack_g20_c04.avi"
    coded = np.concatenate(list(rgb_frames(shown(path), 32)))
    assert (len(coded), read_header(path).frames) == (94, 95)
    assert (decoded(path, 32) == np.insert(coded, 37, coded[36], axis=0)).all()


def test_the_header_is_what_the_container_says(real_data):
    path = real_data / "ucf101" / "UCF-101" / "Basketball" / "v_Basketball_g01_c01.avi"
    header = read_header(path)
    assert (header.frames, header.width, header.height) == (141, 320, 240)
    assert header.fps == pytest.approx(29.97, abs=0.01)
    assert count_packets(path) == 141


def test_a_demo_video_is_decoded_in_order(small_root):
    path = small_root.video(0)
    for size in (8, 33, 112):
        frames = decoded(path, size)
        assert frames.shape == (read_header(path).frames, size, size, 3)
        assert (frames == np.concatenate(list(rgb_frames(shown(path), size)))).all()


def test_a_file_is_opened_once_for_its_header_and_its_frames(small_root):
    path = small_root.video(0)
    with opened(path) as video:
        assert video.header == read_header(path)
        assert (np.concatenate(list(video.decode(32))) == decoded(path, 32)).all()


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


def packets(path):
    """Where each frame's bytes begin, and how many they are."""
    with av.open(str(path)) as file:
        return [(packet.pos, packet.size) for packet in file.demux(video=0) if packet.size]


DAMAGED = r"frame \d+ is damaged: (Invalid data found|FFmpeg marks it as corrupt)"


@pytest.mark.parametrize("number", [0, 1, -1])
def test_a_damaged_frame_is_found(small_root, number):
    path = small_root.video(1)
    content = bytearray(path.read_bytes())
    start, size = packets(path)[number]
    content[start + size // 2 : start + size] = bytes(size - size // 2)
    path.write_bytes(content)
    with pytest.raises(VideoError, match=DAMAGED) as caught:
        decoded(path, 32)
    assert caught.value.status == "undecodable"


def test_what_ffmpeg_makes_up_for_damaged_parts_is_not_taken_for_the_video(small_root):
    path = small_root.video(1)
    whole, frames = path.read_bytes(), packets(path)
    rng, made_up = np.random.default_rng(0), 0
    for _ in range(20):
        content = bytearray(whole)
        start, size = frames[rng.integers(len(frames))]
        content[start + rng.integers(4, size)] ^= 1 << rng.integers(8)
        path.write_bytes(content)
        found = list(shown(path))
        if len(found) == len(frames) and any(frame.is_corrupt for frame in found):
            made_up += 1
            with pytest.raises(VideoError, match=DAMAGED):
                decoded(path, 32)
    assert made_up


def test_a_last_frame_that_is_cut_is_found(small_root):
    path = small_root.video(1)
    start, size = packets(path)[-1]
    path.write_bytes(path.read_bytes()[: start + size // 2])
    with pytest.raises(VideoError, match=rf"frame {len(packets(path))} is damaged"):
        decoded(path, 32)


@pytest.mark.parametrize("promised", [3, 1000])
def test_the_number_of_frames_that_a_header_promises_is_a_hint(small_root, promised):
    path = small_root.video(1)
    whole = decoded(path, 32)
    content, frames = bytearray(path.read_bytes()), read_header(path).frames
    place = content.index(b"strh") + 8 + 32  # dwLength of the stream's header
    assert int.from_bytes(content[place : place + 4], "little") == frames
    content[place : place + 4] = promised.to_bytes(4, "little")
    path.write_bytes(content)
    assert read_header(path).frames == promised
    assert (decoded(path, 32) == whole).all()


def test_a_file_cut_between_two_frames_is_cut(small_root):
    path = small_root.video(1)
    start, size = packets(path)[9]
    path.write_bytes(path.read_bytes()[: start + size])
    for read in (count_packets, lambda file: decoded(file, 32)):
        with pytest.raises(VideoError, match=r"the file is cut: 10 of the \d+ frames") as caught:
            read(path)
        assert caught.value.status == "short"


def test_a_recording_that_was_never_finished_and_is_cut_is_cut(small_root):
    path = small_root.video(1)
    start, size = packets(path)[9]
    content = bytearray(path.read_bytes()[: start + size])
    content[4:8] = bytes(4)  # the length of the whole
    path.write_bytes(content)
    with pytest.raises(VideoError, match=r"the file is cut: 10 of the \d+ frames"):
        decoded(path, 32)


def test_what_an_edit_list_hides_at_the_end_is_not_missing(real_data, tmp_path):
    content = bytearray((real_data / "odd" / "trimmed.mp4").read_bytes())
    place = content.index(b"elst") + 12  # the first entry's length
    length = int.from_bytes(content[place : place + 4], "big")
    content[place : place + 4] = (length // 2).to_bytes(4, "big")
    path = tmp_path / "ends early.mp4"
    path.write_bytes(content)
    shown = numbers(decoded(path, None))
    assert shown == list(range(18, 18 + len(shown)))
    assert 18 < len(shown) < 24
    assert count_packets(path) == 49


def numbers(frames):
    """What the six bars at the bottom say, the lowest bit first."""
    return ((frames[:, -8, 8::16].mean(-1) > 128) @ (1 << np.arange(6))).tolist()


AS_BEFORE = [number for number in range(60) for _ in range(3 if number % 5 == 4 and number < 55 else 1)]
ODD = {  # the numbers that the pictures show
    "plain.mp4": list(range(60)),
    "trimmed.mp4": list(range(18, 60)),
    "cut_hevc.mp4": list(range(24, 60)),
    "dropped.avi": AS_BEFORE,
    "preview_first.mov": list(range(60)),
    "rotated.mp4": list(range(60)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_but_whole_videos_are_what_a_player_shows(real_data, name):
    path = real_data / "odd" / name
    frames = decoded(path, None)
    height, width = (96, 64) if name == "rotated.mp4" else (64, 96)
    assert frames.shape[1:3] == (height, width)
    turned = np.rot90(frames, axes=(1, 2)) if name == "rotated.mp4" else frames
    assert numbers(turned) == ODD[name]
    with opened(path) as video:
        small = np.concatenate(list(video.decode(32)))
        assert (video.header.height, video.header.width) == (height, width)
    assert small.shape == (len(frames), 32, 32, 3)


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
    assert len(decoded(titled, 32)) == frames


def test_a_named_pipe_does_not_hang(small_root):
    path = small_root.video(1)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(VideoError, match=r"no such file"):
        read_header(path)


@pytest.mark.parametrize(
    ("version", "given"),
    [("18.1.0", {"metadata_errors": "replace"}), ("15.0.0", {"metadata_errors": "replace"}), ("19.0.2", {})],
)
def test_pyav_from_19_on_is_not_asked_how_to_read_titles(version, given):
    assert metadata_errors(version) == given
