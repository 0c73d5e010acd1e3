import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from fbm.data.store.array import StoreArray, checksum_of, is_whole
from fbm.data.store.frame_store import FrameStore, StoreError, files_of
from fbm.data.store.manifest import MANIFEST, Manifest, StoredVideo, frames_file, masks_file, read_manifest
from fbm.utils.errors import UserError
from fbm.utils.files import exclusive_lock
from tests.loaders import read_all

NAME = "A/v_A_g01_c01"


def row(name=NAME, **values):
    return StoredVideo(**{"name": name, "action": "A", "group": 1, "split": "train", "status": "ok", **values})


def manifest(*rows):
    return Manifest(8, "boxes", {"classes": ["A"], "split": 1, "validation": 0.1, "validation_seed": 0}, [*rows])


def test_a_manifest_survives_the_disk(tmp_path):
    written = manifest(row(frames=3, fps=29.97, checksum="a"), row("A/v_A_g02_c01", status="short", reason='"x"\n, é'))
    (tmp_path / MANIFEST).write_text(written.to_json())
    assert read_manifest(tmp_path) == written
    assert [video.name for video in written.broken] == ["A/v_A_g02_c01"]
    assert sum(line.startswith('{"name"') for line in written.to_json().splitlines()) == 2  # one video per line


def test_the_fingerprint_follows_what_a_run_sees_and_nothing_else():
    base = manifest(row(checksum="a", masks_checksum="b")).fingerprint
    same = row(checksum="a", masks_checksum="b", source_mtime_ns=5, decoder="other")
    assert manifest(same, row("A/v_A_g02_c01", status="missing")).fingerprint == base
    for change in ({"checksum": "c"}, {"masks_checksum": "c"}, {"split": "val"}, {"status": "short"}):
        assert manifest(row(**{"checksum": "a", "masks_checksum": "b", **change})).fingerprint != base


def test_a_manifest_changed_by_hand_is_refused(demo_store, tmp_path):
    text = (demo_store / MANIFEST).read_text()
    assert text.count('"split": "test"') > 1
    (tmp_path / MANIFEST).write_text(text.replace('"split": "test"', '"split": "train"', 1))
    with pytest.raises(UserError, match=r"changed by hand .*delete it and run `fbm prepare`"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "damaged"),
        (b"{}", "damaged"),
        (b'{"format": 1}', r"is not of this fbm's format \(2\): delete .*, then `fbm prepare` again"),
        (b'{"format": 99}', "is not of this fbm's format"),
        (b'{"format": 2, "fingerprint": "x", "videos": [{"name": 1}]}', "damaged"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path, content, message):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_manifest(tmp_path)


def test_a_manifest_cut_anywhere_is_refused(demo_store, tmp_path):
    whole = (demo_store / MANIFEST).read_bytes()
    for length in range(0, len(whole) - 2, 997):
        (tmp_path / MANIFEST).write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"damaged"):
            read_manifest(tmp_path)


def test_no_store_is_told_from_an_unfinished_one(tmp_path):
    with pytest.raises(UserError, match=r"no such folder.*fbm prepare"):
        FrameStore(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"not finished.*fbm prepare"):
        FrameStore(tmp_path)


def test_an_array_file_is_whole_to_the_byte(tmp_path):
    path = tmp_path / "a.npy"
    assert not is_whole(StoreArray(path, (3, 8, 8, 3), ""))
    for shape in ((3, 8, 8, 3), (100_000, 4, 1), (34, 128, 16)):
        np.save(path, np.zeros(shape, np.uint8))
        assert is_whole(StoreArray(path, shape, ""))
        assert not is_whole(StoreArray(path, (shape[0] + 1, *shape[1:]), ""))
        path.write_bytes(path.read_bytes()[:-1])
        assert not is_whole(StoreArray(path, shape, ""))


def stored(root, packed=None, **values):
    """A store of one video with three frames of 10 × 10; gives its frames."""
    frames = np.random.default_rng(0).integers(0, 255, (3, 10, 10, 3), dtype=np.uint8)
    files = {frames_file(root, NAME): frames}
    if packed is not None:
        files[masks_file(root, "boxes", NAME)] = packed
        values["masks_checksum"] = checksum_of(packed)
    for path, array in files.items():
        path.parent.mkdir(parents=True)
        np.save(path, array)
    video = row(frames=3, checksum=checksum_of(frames), **values)
    (root / MANIFEST).write_text(Manifest(10, "none" if packed is None else "boxes", {}, [video]).to_json())
    return frames


def test_frames_and_masks_are_what_is_stored(demo_store):
    store = FrameStore(demo_store)
    video = store.usable[3]
    frames = np.load(frames_file(demo_store, video.name))
    assert frames.shape == (video.frames, 32, 32, 3)
    assert (store.frames(video.name, 4, 20) == frames[4:20]).all()
    masks = np.unpackbits(np.load(masks_file(demo_store, "boxes", video.name)), axis=-1)
    assert masks.shape == frames.shape[:3]
    assert (store.masks(video.name, slice(4, 20)) == masks[4:20]).all()
    assert masks.any((1, 2)).sum() == video.masked_frames > 0


def test_masks_are_unpacked_to_the_frames_width_also_where_bytes_are_not_full(tmp_path):
    masks = np.random.default_rng(0).random((3, 10, 10)) < 0.5
    stored(tmp_path, np.packbits(masks, axis=-1))
    assert (FrameStore(tmp_path).masks(NAME, slice(0, 3)) == masks).all()


def test_a_store_without_masks_gives_empty_ones(tmp_path):
    frames = stored(tmp_path)
    masks = FrameStore(tmp_path).masks(NAME, slice(1, 3))
    assert masks.shape == (2, 10, 10)
    assert masks.dtype == np.uint8
    assert not masks.any()
    assert (FrameStore(tmp_path).frames(NAME, 0, 3) == frames).all()


def test_an_open_store_travels_to_a_worker_without_its_arrays(demo_store):
    store = FrameStore(demo_store)
    name = store.usable[0].name
    fresh = len(pickle.dumps(store))
    first = store.frames(name, 0, 2).copy()
    assert len(pickle.dumps(store)) == fresh
    assert (pickle.loads(pickle.dumps(store)).frames(name, 0, 2) == first).all()


@pytest.fixture
def copy(demo_store, tmp_path):
    shutil.copytree(demo_store, tmp_path / "store")
    return tmp_path / "store"


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_missing_and_cut_files_are_named_when_the_store_is_opened(copy):
    one, two = (video.name for video in FrameStore(copy).usable[:2])
    cut = masks_file(copy, "boxes", two)
    cut.write_bytes(cut.read_bytes()[:-10])
    with pytest.raises(
        StoreError, match=rf"masks/boxes/{two}.npy has .* bytes in place of .*: run `fbm prepare` again"
    ):
        FrameStore(copy)
    frames_file(copy, one).unlink()
    with pytest.raises(StoreError, match=rf"frames/{one}.npy is missing \(and 1 more files are not whole\): run"):
        FrameStore(copy)


def test_a_damaged_file_is_named_by_the_read_that_hits_it_and_no_other(copy):
    store = FrameStore(copy)
    one, two = (video.name for video in store.usable[:2])
    flip(frames_file(copy, one))
    assert len(store.frames(two, 0, 16)) == len(store.masks(one, slice(0, 16))) == 16
    for _ in range(2):  # it does not pass the second time either
        with pytest.raises(
            StoreError, match=rf"frames/{one}.npy is not what was stored \(checksum\): delete it and run"
        ):
            store.frames(one, 0, 16)


def test_a_store_prepared_anew_under_a_reader_is_told_from_a_damaged_one(copy):
    store = FrameStore(copy)
    video = store.usable[0]
    flip(masks_file(copy, "boxes", video.name))
    with exclusive_lock(copy, "the store"), pytest.raises(StoreError, match="another `fbm prepare`"):
        store.masks(video.name, slice(0, 1))
    rows = [replace(row, masks_checksum="b" * 64) if row == video else row for row in store.manifest.videos]
    (copy / MANIFEST).write_text(replace(store.manifest, videos=rows).to_json())
    with pytest.raises(StoreError, match="the store was prepared again"):
        store.masks(video.name, slice(0, 1))
    (copy / MANIFEST).unlink()
    with pytest.raises(StoreError, match="no store at"):
        store.masks(video.name, slice(0, 1))


def test_other_splits_and_the_same_files_written_again_are_no_damage(copy):
    store = FrameStore(copy)
    video = store.usable[0]
    first = store.frames(video.name, 0, 4)
    rows = [replace(row, split="test") for row in store.manifest.videos]
    (copy / MANIFEST).write_text(replace(store.manifest, videos=rows).to_json())
    path = frames_file(copy, video.name)
    path.write_bytes(path.read_bytes())
    assert (store.frames(video.name, 0, 4) == first).all()


class Read(Dataset[np.ndarray]):
    """One read of a store; at the module's level, so that a worker can have it."""

    def __init__(self, store, name):
        self.store, self.name = store, name

    def __len__(self):
        return 1

    def __getitem__(self, _):
        return self.store.frames(self.name, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_loaders_worker_says_it_in_one_line_as_well(copy, how):
    store = FrameStore(copy)
    name = store.usable[0].name
    flip(frames_file(copy, name))
    with pytest.raises(StoreError) as caught:
        read_all(DataLoader(Read(store, name), num_workers=1, multiprocessing_context=how))
    assert str(caught.value) == (
        f"{frames_file(copy, name)} is not what was stored (checksum): delete it and run `fbm prepare` again"
    )


def test_the_checksums_are_those_of_the_manifest(demo_store):
    manifest = read_manifest(demo_store)
    for video in manifest.videos:
        frames, masks = files_of(demo_store, manifest, video)
        assert isinstance(frames, StoreArray)
        assert isinstance(masks, StoreArray)
        assert (frames.checksum, masks.checksum) == (video.checksum, video.masks_checksum)
        frames.check()
        masks.check()
    assert json.loads((demo_store / MANIFEST).read_text())["fingerprint"] == manifest.fingerprint
