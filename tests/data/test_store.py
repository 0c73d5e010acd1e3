import json
import pickle
import shutil

import numpy as np
import pytest

from fbm.data.store import MANIFEST, FrameStore, Manifest, StoredVideo, frames_file, is_whole, masks_file, read_manifest
from fbm.errors import UserError


def row(name="A/v_A_g01_c01", **values):
    return StoredVideo(**{"name": name, "action": "A", "group": 1, "split": "train", "status": "ok", **values})


def manifest(*rows):
    return Manifest(8, "boxes", {"classes": ["A"], "split": 1, "validation": 0.1, "validation_seed": 0}, [*rows])


def test_a_manifest_survives_the_disk(tmp_path):
    written = manifest(row(frames=3, fps=29.97, checksum="a"), row("A/v_A_g02_c01", status="short", reason='"x"\n, é'))
    (tmp_path / MANIFEST).write_text(written.to_json())
    assert read_manifest(tmp_path) == written
    assert [video.name for video in written.broken] == ["A/v_A_g02_c01"]
    assert sum(line.startswith('{"name"') for line in written.to_json().splitlines()) == 2  # one video a line


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
        (b'{"format": 99}', "of another format"),
        (b'{"format": 1, "fingerprint": "x", "videos": [{"name": 1}]}', "damaged"),
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
    assert not is_whole(path, 3, 8, 8, 3)
    for shape in ((3, 8, 8, 3), (100_000, 4, 1), (34, 128, 16)):
        np.save(path, np.zeros(shape, np.uint8))
        assert is_whole(path, *shape)
        assert not is_whole(path, shape[0] + 1, *shape[1:])
        path.write_bytes(path.read_bytes()[:-1])
        assert not is_whole(path, *shape)


def test_frames_and_masks_are_views_of_what_is_stored(demo_store):
    store = FrameStore(demo_store)
    video = store.playable[3]
    frames = np.load(frames_file(demo_store, video.name))
    assert frames.shape == (video.frames, 32, 32, 3)
    assert (store.frames(video.name, 4, 20) == frames[4:20]).all()
    masks = np.unpackbits(np.load(masks_file(demo_store, "boxes", video.name)), axis=-1)
    assert masks.shape == frames.shape[:3]
    assert (store.masks(video.name, 4, 20) == masks[4:20]).all()
    assert masks.any((1, 2)).sum() == video.masked_frames > 0


def test_masks_are_unpacked_to_the_frames_width_also_where_bytes_are_not_full(tmp_path):
    masks = np.random.default_rng(0).random((3, 10, 10)) < 0.5
    path = masks_file(tmp_path, "boxes", "A/v_A_g01_c01")
    path.parent.mkdir(parents=True)
    np.save(path, np.packbits(masks, axis=-1))
    only = Manifest(10, "boxes", {}, [row(frames=3)])
    (tmp_path / MANIFEST).write_text(only.to_json())
    assert (FrameStore(tmp_path).masks("A/v_A_g01_c01", 0, 3) == masks).all()


def test_a_store_without_masks_gives_empty_ones(tmp_path):
    (tmp_path / MANIFEST).write_text(Manifest(10, "none", {}, [row(frames=3)]).to_json())
    masks = FrameStore(tmp_path).masks("A/v_A_g01_c01", 1, 3)
    assert masks.shape == (2, 10, 10)
    assert masks.dtype == np.uint8
    assert not masks.any()


def test_an_open_store_travels_to_a_worker_without_its_arrays(demo_store):
    store = FrameStore(demo_store)
    name = store.playable[0].name
    fresh = len(pickle.dumps(store))
    first = store.frames(name, 0, 2).copy()
    assert len(pickle.dumps(store)) == fresh
    assert (pickle.loads(pickle.dumps(store)).frames(name, 0, 2) == first).all()


def test_missing_and_cut_arrays_are_named(demo_store, tmp_path):
    copy = tmp_path / "store"
    shutil.copytree(demo_store, copy)
    one, two = (video.name for video in FrameStore(copy).playable[:2])
    frames_file(copy, one).unlink()
    cut = masks_file(copy, "boxes", two)
    cut.write_bytes(cut.read_bytes()[:-10])
    with pytest.raises(UserError, match=f"frames/{one}.npy is missing or damaged"):
        FrameStore(copy).frames(one, 0, 1)
    with pytest.raises(UserError, match=f"masks/boxes/{two}.npy is missing or damaged"):
        FrameStore(copy).masks(two, 0, 1)


def test_checksums_are_those_of_the_manifest(demo_store):
    store = FrameStore(demo_store)
    for video in store.playable:
        assert store.frames_checksum(video) == video.checksum
        assert store.masks_checksum(video) == video.masks_checksum
    assert json.loads((demo_store / MANIFEST).read_text())["fingerprint"] == store.manifest.fingerprint
