"""Random access: the frames of decoding from the beginning, wherever reading begins."""

import av
import numpy as np
import pytest

from fbm.data.decoding.decoders import open_reader, open_video
from fbm.data.decoding.packets import packet_index
from fbm.data.decoding.video import VideoError

SIZE, CLIP = 32, 16
REAL = [
    "JumpingJack/v_JumpingJack_g01_c01",
    "JumpingJack/v_JumpingJack_g20_c04",  # repeats a frame
    "BabyCrawling/v_BabyCrawling_g02_c01",  # B-frames, one keyframe
    "BabyCrawling/v_BabyCrawling_g06_c06",  # B-frames, two keyframes
    "BabyCrawling/v_BabyCrawling_g01_c01",  # one keyframe
    "Basketball/v_Basketball_g01_c01",  # a keyframe in 12
]
ODD = ("plain.mp4", "trimmed.mp4", "cut_hevc.mp4", "dropped.avi", "preview_first.mov", "rotated.mp4")


def sequential(path, decoder):
    with open_video(path, decoder) as video:
        return np.concatenate(list(video.decode(SIZE)))


def assert_exact(path, decoder):
    """Clips at random, then forward, then the first and last, each the frames that a sequential read gives there."""
    whole = sequential(path, decoder)
    rng = np.random.default_rng(len(whole))
    last = len(whole) - CLIP
    starts = [*rng.integers(last + 1, size=6), *sorted(rng.integers(last + 1, size=4)), last, 0, last]
    reader = open_reader(path, decoder, SIZE)
    for start in starts:
        clip = np.zeros((CLIP, SIZE, SIZE, 3), np.uint8)
        reader.read(int(start), clip)
        assert (clip == whole[start : start + CLIP]).all(), f"{path.name} at {start} of {len(whole)}"
    reader.close()


@pytest.mark.parametrize("name", ODD)
def test_pyav_reads_odd_files_anywhere(real_data, name):
    assert_exact(real_data / "odd" / name, "pyav")


@pytest.mark.parametrize("name", REAL)
def test_pyav_reads_real_files_anywhere(real_data, name):
    assert_exact(real_data / "ucf101" / "UCF-101" / f"{name}.avi", "pyav")


def test_other_decoders_read_anywhere_what_they_do_not_refuse(real_data, other):
    paths = [real_data / "ucf101" / "UCF-101" / f"{name}.avi" for name in REAL]
    read = 0
    for path in [*paths, *(real_data / "odd" / name for name in ODD)]:
        try:
            sequential(path, other)
        except VideoError:
            continue
        assert_exact(path, other)
        read += 1
    assert read >= 6


def bars(number, height=32):
    """A picture that shows its number in twelve bars of 16 pixels, the lowest bit first."""
    bits = np.array([number >> place & 1 for place in range(12)], np.uint8)
    return np.repeat(bits * 200 + 20, 16)[None, :, None].repeat(height, 0).repeat(3, 2)


def make_bars(path, codec, frames, keyframes, b_frames):
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 32, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = keyframes, b_frames
        for number in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(bars(number), format="rgb24")))
        file.mux(stream.encode())
    return path


def shown(frames):
    """The numbers in frames of 32 pixels."""
    middles = (np.arange(12) * 2 + 1) * 32 // 24
    return (frames[:, 16, middles].mean(-1) > 128) @ (1 << np.arange(12))


FILES = [  # container, codec, frames between keyframes, B-frames, whether every keyframe can be begun with
    ("avi", "mpeg4", 12, 0, True),
    ("mp4", "mpeg4", 12, 2, False),  # open groups
    ("mp4", "libx264", 30, 3, True),
    ("mkv", "libx264", 100, 3, True),
    ("mp4", "libx265", 40, 3, False),
    ("ts", "mpeg2video", 12, 2, False),
    ("webm", "libvpx-vp9", 30, 0, True),
    ("webm", "libvpx", 30, 0, None),  # VP8: some packets are never shown
]


@pytest.mark.parametrize(("ending", "codec", "keyframes", "b_frames", "closed"), FILES)
def test_any_frame_of_any_codec_is_the_one_asked_for(tmp_path, decoder, ending, codec, keyframes, b_frames, closed):
    try:
        path = make_bars(tmp_path / f"a.{ending}", codec, 130, keyframes, b_frames)
    except av.FFmpegError:
        pytest.skip(f"no encoder {codec}")
    index = packet_index(path)
    assert (index and index.closed) == closed
    try:
        sequential(path, decoder)  # refused, or every frame is the one asked for
    except VideoError:
        assert decoder != "pyav"
    else:
        assert_numbers(path, decoder)


def assert_numbers(path, decoder):
    reader = open_reader(path, decoder, SIZE)
    for start in (60, 61, 64, 7, 126, 90, 127, 0, 119, 128):
        clip = np.zeros((2, SIZE, SIZE, 3), np.uint8)
        reader.read(start, clip)
        assert shown(clip).tolist() == [start, start + 1]


def test_frames_beyond_the_end_are_refused_and_the_reader_goes_on(small_root, decoder):
    path = small_root.video(0)
    whole = sequential(path, decoder)
    reader = open_reader(path, decoder, SIZE)
    clip = np.zeros((CLIP, SIZE, SIZE, 3), np.uint8)
    with pytest.raises(VideoError, match=rf"it has {len(whole)} frames, and {len(whole) - 14} to {len(whole) + 1} are"):
        reader.read(len(whole) - 15, clip)
    reader.read(3, clip)
    assert (clip == whole[3 : 3 + CLIP]).all()


def test_damage_behind_the_beginning_is_found_when_it_is_read(small_root):
    path = small_root.video(1)
    with av.open(str(path)) as file:
        places = [(packet.pos or 0, packet.size) for packet in file.demux(video=0) if packet.size]
    content = bytearray(path.read_bytes())
    place, size = places[20]
    content[place + size // 2 : place + size] = bytes(size - size // 2)
    whole = sequential(path, "pyav")
    path.write_bytes(content)
    reader = open_reader(path, "pyav", SIZE)
    clip = np.zeros((8, SIZE, SIZE, 3), np.uint8)
    reader.read(2, clip)
    assert (clip == whole[2:10]).all()
    with pytest.raises(VideoError, match=r"frame \d+ is damaged"):
        reader.read(16, clip)


def test_a_file_that_is_gone_has_the_fault_of_any(tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        open_reader(tmp_path / "gone.avi", "pyav", SIZE)
