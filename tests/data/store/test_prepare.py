"""Preparing in this process; what needs a process of its own is in test_prepare_command.py."""

import os
import shutil
from collections import namedtuple
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.boxes import BoxMasks, rasterise
from fbm.data.store.frame_store import FrameStore, files_of
from fbm.data.store.journal import JOURNAL
from fbm.data.store.manifest import MANIFEST, frames_file, masks_file, read_manifest
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import prepare, time_limit
from fbm.data.store.prepare_video import PrepareJob
from fbm.utils.errors import UserError
from fbm.utils.files import exclusive_lock
from tests.data.failing_masks import ChosenMasks, Crashing, Hanging
from tests.data.store.stored import contents, unfinish

pytestmark = pytest.mark.slow

SIZE = 32


def run(root, store, size=SIZE, masks="boxes", source=None, timeout=600):
    source = source or (BoxMasks(root.path) if masks == "boxes" else None)
    return prepare(Preparation(UCF101(root.path), source, masks, store, size, workers=1, timeout=timeout))


def check_files(store, video):
    """A video's files are what the manifest says."""
    for file in files_of(store, read_manifest(store), video):
        file.check()


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def times(store, names):
    return [frames_file(store, name).stat().st_mtime_ns for name in names]


def test_every_listed_video_is_stored_with_its_masks(small_root, store):
    done = run(small_root, store)
    assert done.worked_on == 4
    assert read_manifest(store) == done.manifest
    assert [(v.name, v.split, v.status) for v in done.manifest.videos] == [
        (name, split, "ok")
        for name, split in zip(small_root.names, [s.split for s in UCF101(small_root.path).videos()], strict=True)
    ]
    for video in FrameStore(store).usable:
        assert (video.width, video.height, video.masked_frames > 0) == (160, 120, True)
        assert video.decoder.startswith("PyAV")
        assert (len(video.source_checksum), len(video.checksum), len(video.masks_checksum)) == (64, 32, 32)
        track = BoxMasks(small_root.path).masks_for(video.name)
        boxes = track.annotation.boxes  # type: ignore[union-attr]
        assert (
            FrameStore(store).masks(video.name, slice(0, 99)) == rasterise(boxes, video.frames, 160, 120, SIZE)
        ).all()
    assert not (store / JOURNAL).exists()


def test_a_second_time_there_is_nothing_to_do(small_root, small_store):
    before = contents(small_store)
    stamp = (small_store / MANIFEST).stat().st_mtime_ns
    assert run(small_root, small_store).worked_on == 0
    assert contents(small_store) == before
    assert (small_store / MANIFEST).stat().st_mtime_ns == stamp


def test_half_written_files_are_removed_and_never_used(small_root, small_store):
    right = contents(small_store)
    name = small_root.names[1]
    for number, path in enumerate(
        (frames_file(small_store, name), masks_file(small_store, "boxes", name), small_store / MANIFEST)
    ):
        path.with_name(f".{path.name}.{number}.part").write_bytes(path.read_bytes()[:500])
    frames_file(small_store, name).unlink()
    assert run(small_root, small_store).worked_on == 1
    assert contents(small_store) == right
    leftover = small_store / "frames" / ".x.npy.1.part"
    leftover.touch()
    assert run(small_root, small_store).worked_on == 0
    assert not leftover.exists()


@pytest.mark.parametrize("what", ["frames", "masks"])
@pytest.mark.parametrize("damage", ["gone", "one byte short", "empty"])
def test_a_stored_file_that_is_not_whole_is_made_again(small_root, small_store, what, damage):
    right = contents(small_store)
    name = small_root.names[2]
    path = frames_file(small_store, name) if what == "frames" else masks_file(small_store, "boxes", name)
    content = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes(content[:-1] if damage == "one byte short" else b"")
    assert run(small_root, small_store).worked_on == 1
    assert contents(small_store) == right


def test_an_interrupted_preparation_goes_on_from_its_journal(small_root, small_store):
    right = contents(small_store)
    unfinish(small_store)
    first, second, third, _ = (small_store / JOURNAL).read_text().splitlines()
    (small_store / JOURNAL).write_text(f"{first}\n{second}\n{third[:50]}")  # killed while it wrote the third
    kept = times(small_store, small_root.names[:2])
    assert run(small_root, small_store).worked_on == 2
    assert times(small_store, small_root.names[:2]) == kept
    assert contents(small_store) == right


@pytest.mark.parametrize("frames", ["raw", "jpeg", "files"])
@pytest.mark.parametrize("sizes", [(64, 32), (32, 64)])
def test_a_journal_of_frames_of_another_size_is_not_taken_for_this_one(small_root, store, sizes, frames):
    def made(size):
        return prepare(
            Preparation(UCF101(small_root.path), None, "none", store, size, workers=1, timeout=600, frames=frames)
        )

    made(sizes[0])
    unfinish(store)
    assert made(sizes[1]).worked_on == 4
    for video in FrameStore(store).usable:
        assert FrameStore(store).frames(video.name, 0, 1).shape == (1, sizes[1], sizes[1], 3)
        check_files(store, video)


def test_a_journal_of_another_size_leaves_no_row_of_a_video_that_is_not_chosen_now(small_root, store, monkeypatch):
    run(small_root, store, size=64)
    unfinish(store)
    some = UCF101(small_root.path).videos()[:2]
    monkeypatch.setattr(UCF101, "videos", lambda self: some)
    assert run(small_root, store).manifest.others == []


def prepared_by(decoder, root, store):
    return prepare(Preparation(UCF101(root.path), None, "none", store, SIZE, workers=1, timeout=600, decoder=decoder))


def test_another_decoder_makes_a_store_of_its_own(small_root, small_store, tmp_path, other):
    store = tmp_path / "other"
    prepared_by(other, small_root, store)
    made, ours = FrameStore(store), FrameStore(small_store)
    assert made.manifest.decoder == other
    for video in made.usable:
        assert video.decoder.startswith(f"{other} ")
        theirs = ours.frames(video.name, 0, video.frames).astype(int)
        assert np.abs(made.frames(video.name, 0, video.frames) - theirs).mean() < 2.5
    assert len(made.usable) == len(ours.usable) == 4
    assert prepared_by(other, small_root, store).worked_on == 0
    with pytest.raises(UserError, match=rf"decoded by {other}, not data.decoder=pyav: choose another data.store"):
        prepared_by("pyav", small_root, store)
    with pytest.raises(UserError, match=rf"decoded by pyav, not data.decoder={other}: choose another data.store"):
        prepared_by(other, small_root, small_store)


def test_what_an_interrupted_preparation_decoded_otherwise_is_decoded_again(small_root, store):
    prepared_by("decord", small_root, store)
    unfinish(store)
    assert prepared_by("pyav", small_root, store).worked_on == 4
    assert {row.decoder[:4] for row in read_manifest(store).videos} == {"PyAV"}


def test_an_unknown_decoder_is_refused_before_anything_is_made(small_root, store):
    with pytest.raises(UserError, match="the decoder 'opencv' is not one of pyav, decord, torchcodec"):
        prepared_by("opencv", small_root, store)
    assert not store.exists()


def test_a_store_from_before_decoders_were_a_choice_is_pyavs(small_root, small_store):
    path = small_store / MANIFEST
    path.write_text(path.read_text().replace('"decoder": "pyav", ', "", 1))
    assert read_manifest(small_store).decoder == "pyav"
    assert run(small_root, small_store).worked_on == 0


def test_a_finished_store_of_another_size_is_refused(small_root, small_store):
    with pytest.raises(UserError, match=r"holds frames of 32 pixels, data.size=64 .* choose another data.store"):
        run(small_root, small_store, size=64)


def test_a_changed_annotation_remakes_masks_and_leaves_frames(small_root, small_store):
    before = contents(small_store)
    kept = times(small_store, small_root.names)
    text = small_root.xgtf(1).read_text()
    small_root.xgtf(1).write_text(text.replace("<data:bbox", "\n<data:bbox"))
    assert run(small_root, small_store).worked_on == 0  # the same boxes
    small_root.xgtf(1).write_text(text.replace('width="', 'width="1', 1))
    done = run(small_root, small_store)
    assert done.worked_on == 1
    assert times(small_store, small_root.names) == kept
    changed = {path for path, content in contents(small_store).items() if content != before[path]}
    assert changed == {MANIFEST, f"masks/boxes/{small_root.names[1]}.npy"}
    check_files(small_store, done.manifest.videos[1])


def test_a_changed_video_is_decoded_again_and_the_others_are_not(small_root, small_store):
    kept = times(small_store, small_root.names)
    shutil.copy(small_root.video(3), small_root.video(1))
    shutil.copy(small_root.xgtf(3), small_root.xgtf(1))
    done = run(small_root, small_store)
    assert done.worked_on == 1
    assert done.manifest.videos[1].checksum == done.manifest.videos[3].checksum
    now = times(small_store, small_root.names)
    assert [a == b for a, b in zip(kept, now, strict=True)] == [True, False, True, True]


def test_a_video_changed_within_its_size_is_decoded_again(small_root, small_store):
    content = bytearray(small_root.video(1).read_bytes())
    content[len(content) // 2] ^= 0xFF
    small_root.video(1).write_bytes(content)
    assert run(small_root, small_store).worked_on == 1


def test_a_copied_data_set_is_not_decoded_again(small_root, small_store):
    for number in range(4):
        os.utime(small_root.video(number), (1, 1))
    assert run(small_root, small_store).worked_on == 0


def test_masks_can_be_left_out_and_added_later(small_root, store):
    assert run(small_root, store, masks="none").manifest.masks == "none"
    assert not (store / "masks").exists()
    kept = times(store, small_root.names)
    assert run(small_root, store).worked_on == 4
    assert times(store, small_root.names) == kept
    direct = small_root.path / "direct"
    run(small_root, direct)
    assert contents(store) == contents(direct)


def test_a_video_without_annotation_gets_empty_masks(small_root, store):
    small_root.xgtf(1).unlink()
    row = run(small_root, store).manifest.videos[1]
    assert (row.status, row.masked_frames) == ("ok", 0)
    assert not FrameStore(store).masks(row.name, slice(0, row.frames)).any()


def break_video(path, how):
    whole = path.read_bytes()
    contents = {
        "empty": b"",
        "random": np.random.default_rng(0).bytes(30_000),
        "half": whole[: len(whole) // 2],
        "text": b"no video\n" * 50,
    }
    path.unlink()
    if how == "directory":
        path.mkdir()
    elif how != "gone":
        path.write_bytes(contents[how])
    return whole


@pytest.mark.parametrize(
    "kinds",
    [
        {"gone": "missing", "empty": "undecodable", "half": "short"},
        {"directory": "missing", "random": "undecodable", "text": "undecodable"},
    ],
)
def test_a_broken_video_is_one_row_and_leaves_no_file_and_a_mended_one_is_taken(small_root, store, kinds):
    whole = [break_video(small_root.video(number), how) for number, how in enumerate(kinds, start=1)]
    rows = run(small_root, store).manifest.videos
    assert [row.status for row in rows] == ["ok", *kinds.values()]
    assert all(row.frames == 0 and row.reason and not row.checksum for row in rows[1:])
    assert len(list(store.rglob("*.npy"))) == 2
    assert not list(store.rglob("*.part"))
    for number, content in enumerate(whole, start=1):
        if small_root.video(number).is_dir():
            small_root.video(number).rmdir()
        small_root.video(number).write_bytes(content)
    assert run(small_root, store).worked_on == 3
    assert not read_manifest(store).broken


def test_a_bad_annotation_is_its_videos_only_and_frames_are_kept_for_when_it_is_mended(small_root, small_store):
    text = small_root.xgtf(1).read_text()
    right, kept = contents(small_store), times(small_store, small_root.names)
    for bad, reason in (
        ("<viper", "not readable XML"),
        (text.replace("UTF-8", "klingon", 1), "not readable XML: unknown encoding: klingon"),
        (text.replace('x="', 'x="9', 1), "outside the 160 x 120 frame"),
        (text.replace('<data:dvalue value="', '<data:dvalue value="9', 1), "the video has"),
    ):
        small_root.xgtf(1).write_text(bad)
        done = run(small_root, small_store)
        assert [video.status for video in done.manifest.videos] == ["ok", "bad_annotation", "ok", "ok"]
        row = done.manifest.videos[1]
        assert reason in row.reason
        assert (row.masked_frames, row.masks_checksum) == (0, "")
    small_root.xgtf(1).write_text(text)
    assert run(small_root, small_store).worked_on == 1
    assert times(small_store, small_root.names) == kept
    assert contents(small_store) == right


def test_of_an_annotation_that_nearly_fits_the_rest_is_used_by_choice_and_told(small_root, small_store):
    text = small_root.xgtf(1).read_text()
    whole = read_manifest(small_store).videos[1]
    small_root.xgtf(1).write_text(text.replace(f'value="{whole.frames}"', f'value="{whole.frames + 1}"', 1))
    assert run(small_root, small_store).manifest.videos[1].status == "bad_annotation"
    chosen = BoxMasks(small_root.path, misfits="leave_out")
    for worked_on in (4, 0):  # the choice is in all fingerprints
        done = run(small_root, small_store, source=chosen)
        assert done.worked_on == worked_on
        (row,) = done.manifest.partly_masked
        assert row.name == small_root.names[1]
        said = f"its annotation is for {row.frames + 1} frames, the video has {row.frames}"
        assert row.reason.startswith(f"{said}; ")
        assert (row.masks_checksum, row.masked_frames) == (whole.masks_checksum, whole.masked_frames)


def make_long(path, frames=1000):
    """A small file (8 MB) that takes half a minute: frames of 16 million pixels that do not change."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 4096
        picture = av.VideoFrame(4096, 4096, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        packets = []
        for picture.pts in range(2):
            packets += stream.encode(picture)
        first, same = packets
        for number in range(frames):
            packet = av.Packet(bytes(same if number else first))
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1, 25), number, number
            packet.is_keyframe = not number
            file.mux(packet)


def test_hanging_long_and_crashing_videos_are_stopped_and_the_others_are_stored(small_root, store, monkeypatch):
    late = {small_root.names[1], small_root.names[3]}  # the others may take as long as a busy machine does
    monkeypatch.setattr(
        "fbm.data.store.prepare.time_limit", lambda job, limit: limit if job.video.name in late else 600
    )
    broken = ChosenMasks({small_root.names[1]: Hanging(), small_root.names[2]: Crashing()})
    whole = small_root.video(3).read_bytes()
    make_long(small_root.video(3))
    done = prepare(Preparation(UCF101(small_root.path), broken, "boxes", store, SIZE, workers=2, timeout=3))
    rows = done.manifest.videos
    assert [row.status for row in rows] == ["ok", "timeout", "undecodable", "timeout"]
    assert all("within 3 s (see prepare.timeout)" in row.reason for row in (rows[1], rows[3]))
    assert "crashed" in rows[2].reason
    assert not list(store.rglob("*.part"))
    small_root.video(3).write_bytes(whole)
    run(small_root, store)
    assert not read_manifest(store).broken


def test_a_long_video_may_take_longer(small_root, store):
    short, *_ = UCF101(small_root.path).videos()
    long = replace(short, expected=2500)
    jobs = [PrepareJob(video, store, SIZE, "none", None, None) for video in (short, long, replace(short, path=store))]
    assert [time_limit(job, 60) for job in jobs] == [60, 150, 60]


def test_the_disk_needed_is_said_first_and_too_little_is_refused(small_root, store, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 1000))
    with pytest.raises(UserError, match=r"not enough disk for .*store: .* frames need"):
        run(small_root, store)
    assert not list(store.rglob("*.npy"))
    assert not (store / MANIFEST).exists()
    frames = sum(row.frames for row in run_elsewhere(small_root, monkeypatch).manifest.videos)
    assert f"4 videos to prepare: {frames} frames need" in capsys.readouterr().out


def run_elsewhere(root, monkeypatch):
    monkeypatch.undo()
    return run(root, root.path / "elsewhere")


def test_a_store_in_use_is_refused(small_root, store):
    with exclusive_lock(store, "the store"), pytest.raises(UserError, match=r"the store .* is in use by another fbm"):
        run(small_root, store)
    assert run(small_root, store).worked_on == 4


def test_a_journal_that_cannot_be_written_is_one_error(small_root, store):
    store.mkdir()
    (store / JOURNAL).symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"cannot be written: No space left on device; 0 videos are done"):
        run(small_root, store)
    assert not list(store.rglob("*.part"))
    (store / JOURNAL).unlink()
    assert not run(small_root, store).manifest.broken


def test_a_manifest_that_cannot_be_written_is_one_error(small_root, store, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("fbm.data.store.prepare.write_text", full)
        with pytest.raises(UserError, match=r"cannot be written: No space left on device; all videos are done"):
            run(small_root, store)
    assert run(small_root, store).worked_on == 0  # the journal kept what was done


def test_a_store_that_is_a_file_is_refused(small_root, store):
    store.write_text("mine")
    with pytest.raises(UserError, match=r"the store .* cannot be written: File exists"):
        run(small_root, store)
    assert store.read_text() == "mine"


def test_changed_splits_change_the_manifest_alone(small_root, small_store):
    kept = times(small_store, small_root.names)
    source = UCF101(small_root.path, validation=0.0)
    done = prepare(Preparation(source, BoxMasks(small_root.path), "boxes", small_store, SIZE, 1, 60))
    assert done.worked_on == 0
    assert {video.split for video in done.manifest.videos} == {"train", "test"}
    assert done.manifest.selection == source.selection()
    assert times(small_store, small_root.names) == kept


def test_rows_in_a_changed_order_are_the_same_store(small_root, store):
    first = run(small_root, store).manifest
    lines = small_root.list_file("train").read_bytes().splitlines(keepends=True)
    small_root.list_file("train").write_bytes(b"".join(lines[::-1]))
    assert run(small_root, store).manifest == replace(first)


def test_what_was_decoded_for_another_selection_is_kept(small_root, small_store):
    everything = run(small_root, small_store).manifest
    one = everything.classes[0]
    masks = BoxMasks(small_root.path)
    fewer = prepare(
        Preparation(UCF101(small_root.path, classes=[one]), masks, "boxes", small_store, SIZE, workers=1, timeout=600)
    )
    assert (fewer.worked_on, fewer.manifest.classes) == (0, [one])
    again = run(small_root, small_store)
    assert (again.worked_on, again.manifest) == (0, everything)
