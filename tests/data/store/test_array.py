import os

import numpy as np
import pytest

from fbm.data.store.array import PREPARE, REPLACE, IntegrityError, StoreArray, checksum_of

SHAPE = (5, 4, 4, 3)


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)


@pytest.fixture
def file(tmp_path, values):
    path = tmp_path / "a.npy"
    np.save(path, values)
    return StoreArray(path, SHAPE, checksum_of(values))


def test_a_whole_file_gives_its_values(file, values):
    file.check_size()
    file.check()
    assert (file.opened() == values).all()
    assert not file.opened().flags.writeable


def test_a_byte_flipped_anywhere_is_found_wherever_it_can_matter(file, values):
    whole = file.path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1
        file.path.write_bytes(content)
        if whole[place : place + 1] == b" " and read_by_numpy(file.path, values):
            continue  # a blank between the header's words, which nothing reads
        with pytest.raises(IntegrityError) as caught:
            file.check()
        assert caught.value.remedy == REPLACE


def read_by_numpy(path, values):
    try:
        return np.array_equal(np.load(path), values)
    except Exception:
        return False


def damage(file, how):
    content = file.path.read_bytes()
    if how == "gone":
        file.path.unlink()
    elif how == "a folder":
        file.path.unlink()
        file.path.mkdir()
    else:
        file.path.write_bytes({"cut": content[:-1], "empty": b"", "longer": content + b"x"}[how])


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("gone", "is missing"),
        ("cut", "has 367 bytes in place of 368"),
        ("empty", "has 0 bytes in place of 368"),
        ("longer", "has 369 bytes in place of 368"),
        ("a folder", "bytes in place of 368|cannot be read .Is a directory."),
    ],
)
def test_what_is_wrong_from_the_outside_is_found_without_reading(file, how, words):
    damage(file, how)
    with pytest.raises(IntegrityError, match=words) as caught:
        file.check_size()
    assert caught.value.remedy == PREPARE
    with pytest.raises(IntegrityError, match=words):
        file.check()


def test_a_file_of_other_values_and_of_another_shape_is_found(file, values):
    np.save(file.path, values[::-1])
    with pytest.raises(IntegrityError, match=r"not what was stored \(checksum\)"):
        file.check()
    np.save(file.path, values.reshape(5, 3, 4, 4))
    with pytest.raises(IntegrityError, match=r"not what was stored \(header\)"):
        file.check()


def test_a_file_cut_after_it_was_looked_at_cannot_be_mapped(file):
    file.check()
    os.truncate(file.path, 200)
    with pytest.raises(IntegrityError, match="has 200 bytes in place of 368"):
        file.opened()
