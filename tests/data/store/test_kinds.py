"""Stores of every kind hold the same samples: raw, compressed, and clips straight from the videos."""

import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from fbm.config.compose import compose
from fbm.data.clips import ClipDataset, SampleKey, identity_collate
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.boxes import BoxMasks
from fbm.data.sampler import ResumableDistributedSampler, ResumePosition
from fbm.data.store.frame_store import FrameStore, StoreError
from fbm.data.store.kinds.choose import KINDS
from fbm.data.store.manifest import MANIFEST, frames_file, read_manifest
from fbm.data.store.preparation import Preparation
from fbm.data.store.prepare import Prepared, prepare
from fbm.utils.errors import UserError
from fbm.utils.files import checksum
from tests.conftest import SIZE, SmallRoot, make_small_root
from tests.data.store.stored import contents, unfinish
from tests.disks import disk
from tests.loaders import read_all

__all__ = ["disk"]  # the fixture
pytestmark = pytest.mark.slow

STORED = ("raw", "jpeg", "webp")
Prepare = Callable[..., Path]


def made(root: SmallRoot, store: Path, frames: str, masks: str = "boxes", **more: Any) -> Prepared:
    source = BoxMasks(root.path) if masks == "boxes" else None
    return prepare(Preparation(UCF101(root.path), source, masks, store, SIZE, 1, 600, frames=frames, **more))


@pytest.fixture(scope="module")
def root(demo_root, tmp_path_factory) -> SmallRoot:
    return make_small_root(demo_root, tmp_path_factory.mktemp("kinds") / "root")


@pytest.fixture(scope="module")
def stores(root, tmp_path_factory) -> dict[str, Path]:
    """A store of each kind from the same videos. Look, do not touch."""
    places = {kind: tmp_path_factory.mktemp("stores") / kind for kind in KINDS}
    for kind, place in places.items():
        assert made(root, place, kind).worked_on == 4
    return places


@pytest.fixture
def own(demo_root, tmp_path) -> tuple[SmallRoot, Prepare]:
    """Videos and stores of them that a test may break."""
    root = make_small_root(demo_root, tmp_path / "root")

    def prepared(kind: str, **more: Any) -> Path:
        store: Path = tmp_path / kind
        made(root, store, kind, **more)
        return store

    return root, prepared


def batches(store: Path, workers: int = 0, rank: int = 0, ranks: int = 1, done: int = 0, **more: Any) -> list[Any]:
    """Two epochs of training batches of two clips over all ranks, continued after `done` steps of the first."""
    clips = ClipDataset(FrameStore(store), "train", 8, 4, seed=3, **more)
    sampler = ResumableDistributedSampler(len(clips), 2, 3, rank, ranks, ResumePosition(0, done))
    loader = DataLoader(
        clips,
        2 // ranks,
        sampler=sampler,
        collate_fn=identity_collate,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    found = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        found += read_all(loader)
    return found


def assert_same(some: list[Any], others: list[Any]) -> None:
    assert len(some) == len(others) >= 4
    for one, other in zip(some, others, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", KINDS[1:])
def test_samples_their_order_and_masks_are_those_of_a_raw_store(stores, kind):
    raw, other = batches(stores["raw"]), batches(stores[kind])
    assert len(raw) == len(other) >= 4
    for one, two in zip(raw, other, strict=True):
        assert torch.equal(one.sample, two.sample)
        assert torch.equal(one.masks, two.masks)
        error = (one.frames.float() - two.frames.float()).square().mean()
        assert 10 * torch.log10(255**2 / error.clamp(min=1e-9)) > 30


def test_frames_from_the_files_are_those_of_a_raw_store_bit_for_bit(stores):
    clips = ClipDataset(FrameStore(stores["raw"]), "train", 8, 4, seed=3)
    assert clips.random  # reversed and flipped windows are among them
    assert_same(batches(stores["raw"]), batches(stores["files"]))
    for name in (video.name for video in FrameStore(stores["raw"]).usable):
        raw, files = (FrameStore(stores[kind]).frames(name, 0, 99) for kind in ("raw", "files"))
        assert len(raw) > 30
        assert np.array_equal(raw, files)
    assert read_manifest(stores["raw"]).fingerprint == read_manifest(stores["files"]).fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_frames_at_an_interval_are_those_of_all(stores, kind):
    store = FrameStore(stores[kind])
    video = store.usable[1]
    found = np.empty((4, SIZE, SIZE, 3), np.uint8)
    for start, interval in ((0, 1), (5, 2), (video.frames - 28, 9)):  # the last one ends with the video
        store.fill(video.name, start, found, interval)
        assert np.array_equal(found, store.frames(video.name, start, start + 3 * interval + 1)[::interval])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [{"workers": 2}, {"done": 2}, {"rank": 1, "ranks": 2}, {"workers": 2, "done": 2}])
def test_workers_ranks_and_resuming_change_nothing(stores, kind, how):
    same = how.get("ranks", 1) == 1
    found = batches(stores[kind], **how)
    expected = batches(stores[kind])[how.get("done", 0) :]
    if same:
        assert_same(found, expected)
    else:
        pairs = zip(found, expected, strict=True)
        assert all(torch.equal(one.frames[0], other.frames[1]) for one, other in pairs)


def test_a_compressed_store_is_smaller_and_one_without_frames_has_none(stores):
    sizes = {kind: sum(path.stat().st_size for path in (stores[kind] / "frames").rglob("*.npy")) for kind in STORED}
    assert sizes["webp"] < sizes["jpeg"] < sizes["raw"] / 2
    assert not (stores["files"] / "frames").exists()
    assert sorted(path.name for path in stores["files"].iterdir()) == [".lock", MANIFEST, "masks"]
    better = {kind: read_manifest(stores[kind]) for kind in KINDS}
    assert [(m.frames, m.quality) for m in better.values()] == [
        ("raw", None),
        ("jpeg", 90),
        ("webp", 90),
        ("files", None),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_time_there_is_nothing_to_do_and_masks_can_be_added_later(own, stores, kind):
    root, prepared = own
    store = prepared(kind, masks="none")
    assert not (store / "masks").exists()
    assert made(root, store, kind).worked_on == 4
    added = contents(store / "masks")
    assert len(added) == 4
    assert added == contents(stores[kind] / "masks")
    before = (store / MANIFEST).read_bytes()
    assert made(root, store, kind).worked_on == 0
    assert (store / MANIFEST).read_bytes() == before
    assert not list(store.rglob("*.part"))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"frames": "raw"}, {"frames": "jpeg"}, r"keeps its frames as raw, these settings as jpeg 90"),
        ({"frames": "files"}, {"frames": "raw"}, r"keeps its frames as files"),
        ({"frames": "jpeg"}, {"frames": "jpeg", "quality": 50}, r"as jpeg 90, these settings as jpeg 50"),
        ({"frames": "jpeg"}, {"frames": "webp"}, r"as jpeg 90, these settings as webp 90"),
    ],
)
def test_a_store_of_another_kind_is_refused(root, tmp_path, first, second, said):
    made(root, tmp_path / "store", masks="none", **first)
    before = (tmp_path / "store" / MANIFEST).read_bytes()
    with pytest.raises(UserError, match=f"{said}.* choose another data.store"):
        made(root, tmp_path / "store", masks="none", **second)
    assert (tmp_path / "store" / MANIFEST).read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"frames": "png"}, "data.frames=png: it should be raw, jpeg, webp or files"),
        ({"frames": "jpeg", "quality": 0}, "data.quality=0: it should be a whole number from 1 to 100"),
        ({"frames": "webp", "quality": "best"}, "data.quality=best: it should be"),
        ({"frames": "raw", "quality": 90}, "data.quality=90 is for data.frames=jpeg and webp, not raw"),
    ],
)
def test_a_kind_that_is_none_is_refused(root, tmp_path, settings, said):
    with pytest.raises(UserError, match=said):
        made(root, tmp_path / "store", **settings)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_unfinished_preparation_of_another_kind_leaves_nothing_of_it(own, stores, kind):
    root, prepared = own
    for other in KINDS:
        store = prepared(other)
        unfinish(store)
        assert made(root, store, kind).worked_on == (0 if kind == other else 4)
        assert read_manifest(store).fingerprint == read_manifest(stores[kind]).fingerprint
        shutil.rmtree(store)


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_may_be_moved_and_be_read_by_several_at_once(own, tmp_path, kind):
    _, prepared = own
    store = prepared(kind)
    before = batches(store)
    moved = tmp_path / "elsewhere" / "copy"
    shutil.copytree(store, moved)
    shutil.rmtree(store)
    one, two = (ClipDataset(FrameStore(moved), "train", 8, 4, seed=3) for _ in range(2))
    for sample in range(len(one)):
        key = SampleKey(0, sample)
        assert torch.equal(one.batch([key]).frames, two.batch([key]).frames)
    assert_same(before, batches(moved, workers=2))


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_only_store_is_read(root, stores, disk, kind):
    folder = disk("size=32m")
    shutil.copytree(stores[kind], folder / "store")
    disk("ro")
    with pytest.raises(OSError, match="Read-only"):
        (folder / "x").touch()
    assert_same(batches(folder / "store", workers=2), batches(stores[kind]))


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_changed_byte_is_found(own, kind, workers):
    _, prepared = own
    store = prepared(kind)
    path = frames_file(store, read_manifest(store).videos[1].name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"is not what was stored \(checksum\): delete it and run `fbm prepare` again"):
        batches(store, workers)


def test_a_picture_that_does_not_decode_is_named(own):
    """As it could only have been written: its checksum is right."""
    _, prepared = own
    store = prepared("jpeg", masks="none")
    video = read_manifest(store).videos[1]
    file = FrameStore(store).kind.file(store, SIZE, video)
    values = np.array(file.opened())
    values[:500] = 0
    with pytest.raises(Exception, match=r"frame 0 does not decode") as raised:
        file.fill(values, 0, np.empty((1, SIZE, SIZE, 3), np.uint8))
    assert type(raised.value).__name__ == "IntegrityError"


# From the videos themselves.


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def replace_content(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (
        lambda path: path.unlink(),
        r"is missing: put it back, or run `fbm prepare` again with the videos' present folder",
    ),
    "cut": (cut, r"has [\d,]+ bytes in place of the [\d,]+ that were prepared: put the prepared file back, or"),
    "other": (replace_content, r"is not the file that was prepared \(checksum\): put the prepared file back, or run"),
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("workers", [0, 1])
def test_a_video_that_has_changed_is_one_line(own, how, workers):
    root, prepared = own
    store = FrameStore(prepared("files"))
    spoil, said = SPOILT[how]
    video = store.usable[1]
    store.frames(video.name, 0, 4)
    spoil(root.video(1))
    for opened in (store, pickle.loads(pickle.dumps(store))):
        with pytest.raises(StoreError, match=rf"g02_c01.avi {said}") as raised:
            opened.frames(video.name, 0, 4)
        assert "\n" not in str(raised.value)
    with pytest.raises(StoreError, match=rf"g02_c01.avi {said}"):
        batches(store.root, workers)


def test_the_same_video_with_another_time_is_read(own):
    root, prepared = own
    store = FrameStore(prepared("files"))
    name = store.usable[1].name
    before = store.frames(name, 3, 9)
    os.utime(root.video(1), (1, 1))
    assert np.array_equal(store.frames(name, 3, 9), before)


@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"no video"), lambda path: cut_half(path)])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_video_that_no_longer_decodes_is_one_line(own, workers, spoil):
    """The file is as prepared, but this decoder refuses it, as another version might."""
    root, prepared = own
    store = prepared("files", masks="none")
    spoil(root.video(1))
    stat = root.video(1).stat()
    manifest = read_manifest(store)
    row = replace(manifest.videos[1], source_bytes=stat.st_size, source_mtime_ns=stat.st_mtime_ns)
    row = replace(row, source_checksum=checksum(root.video(1)))
    rows = [manifest.videos[0], row, *manifest.videos[2:]]
    (store / MANIFEST).write_text(replace(manifest, videos=rows).to_json())
    said = r"g02_c01.avi (frames \d+ to \d+ do not decode|cannot be opened) \(.*\): replace it and run `fbm prepare`"
    with pytest.raises(StoreError, match=said) as raised:
        batches(store, workers)
    assert "\n" not in str(raised.value)


def cut_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_moved_data_set_is_found_by_preparing_again_which_decodes_nothing(own, tmp_path):
    root, prepared = own
    store = prepared("files")
    before = batches(store)
    shutil.move(root.path, tmp_path / "moved")
    with pytest.raises(StoreError, match=r"is missing \(and 3 more files are not whole\): put it back, or run"):
        FrameStore(store)
    moved = SmallRoot(tmp_path / "moved", root.names)
    fingerprint = read_manifest(store).fingerprint
    assert made(moved, store, "files").worked_on == 0
    assert {Path(video.path).parts[: len(moved.path.parts)] for video in read_manifest(store).videos} == {
        moved.path.parts
    }
    assert read_manifest(store).fingerprint == fingerprint
    assert_same(before, batches(store))


def test_a_forked_process_opens_videos_itself(stores):
    """Its parent has read before; the position in the file would be shared."""
    store = FrameStore(stores["files"])
    name = store.usable[0].name
    expected = store.frames(name, 0, 34)
    clips = ClipDataset(store, "train", 8, 4, seed=3)
    loader = DataLoader(clips, 1, sampler=ResumableDistributedSampler(len(clips), 1, 3), collate_fn=identity_collate)
    before = [batch.frames.clone() for batch in loader]
    forked = DataLoader(
        clips,
        1,
        sampler=ResumableDistributedSampler(len(clips), 1, 3),
        collate_fn=identity_collate,
        num_workers=2,
        multiprocessing_context="fork",
    )
    for one, other in zip(before, forked, strict=True):
        assert torch.equal(one, other.frames)
        assert np.array_equal(store.frames(name, 0, 34), expected)


def test_few_videos_are_kept_open(demo_root, tmp_path):
    prepare(Preparation(UCF101(demo_root), None, "none", tmp_path / "store", SIZE, 2, 600, frames="files"))
    store = FrameStore(tmp_path / "store")
    for video in store.usable:
        store.frames(video.name, 0, 2)
    assert len(store.usable) == 30
    opened = [entry.resolve() for entry in Path("/proc/self/fd").iterdir()]
    assert 0 < sum(path.suffix == ".avi" and path.is_relative_to(demo_root) for path in opened) <= 8
    store.close()


def test_another_decoder_gives_the_same_frames_from_a_store_and_from_the_files(root, tmp_path, other):
    for kind in ("raw", "files"):
        made(root, tmp_path / kind, kind, decoder=other)
    assert_same(batches(tmp_path / "raw"), batches(tmp_path / "files", workers=2))
    raw, files = (FrameStore(tmp_path / kind) for kind in ("raw", "files"))
    assert raw.manifest.fingerprint == files.manifest.fingerprint
    for name in (video.name for video in raw.usable):
        for start in (18, 0, 5, 12):
            assert np.array_equal(raw.frames(name, start, start + 16), files.frames(name, start, start + 16))


def test_a_store_without_frames_needs_its_decoder(stores, tmp_path, monkeypatch):
    shutil.copytree(stores["files"], tmp_path / "store")
    manifest = replace(read_manifest(tmp_path / "store"), decoder="torchcodec")
    (tmp_path / "store" / MANIFEST).write_text(manifest.to_json())
    monkeypatch.setattr("fbm.data.decoding.decoders.find_spec", lambda name: None)
    with pytest.raises(UserError, match="the decoder torchcodec is not installed: pip install torchcodec"):
        FrameStore(tmp_path / "store")


def test_files_are_read_by_decord_unless_another_decoder_is_chosen():
    def decoder(*settings: str) -> str:
        return str(compose([*settings], name="prepare").data.decoder)

    assert decoder() == decoder("data.frames=jpeg") == "pyav"
    assert decoder("data.frames=files") == "decord"
    assert decoder("data.frames=files", "data.decoder=pyav") == "pyav"
