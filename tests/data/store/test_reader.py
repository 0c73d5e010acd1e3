import multiprocessing
import os
import pickle
import resource
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from fbm.data.store import reader as cached_reader
from fbm.data.store.array import IntegrityError, StoreArray, checksum_of
from fbm.data.store.reader import VerifiedReader

LONG_AGO = time.time() - 1000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.npy"
    values = np.arange(48, dtype=np.uint8).reshape(3, 16)
    np.save(path, values)
    return StoreArray(path, values.shape, checksum_of(values))


def read(reader, start, stop):
    return reader.read(0, lambda values: values[start:stop].copy())


@pytest.fixture
def checked(monkeypatch):
    """Counts how often a file is read whole; files are taken to be old."""
    monkeypatch.setattr(cached_reader, "RACE_WINDOW_NS", 0)
    count: list[int] = []
    real = StoreArray.check

    def counted(self):
        count.append(1)
        real(self)

    monkeypatch.setattr(StoreArray, "check", counted)
    return count


def test_a_file_is_looked_at_whole_once_and_again_when_it_changed(file, checked):
    reader = VerifiedReader([file])
    for start in (0, 1, 2):
        assert read(reader, start, start + 1).tolist() == [list(range(16 * start, 16 * start + 16))]
    assert len(checked) == 1
    os.utime(file.path, (LONG_AGO, LONG_AGO))  # another time, the same content
    assert read(reader, 0, 3).shape == (3, 16)
    assert len(checked) == 2


def test_a_byte_changed_with_the_old_time_put_back_is_found(file, checked):
    reader = VerifiedReader([file])
    read(reader, 0, 1)
    stat = file.path.stat()
    content = bytearray(file.path.read_bytes())
    content[-1] ^= 1
    file.path.write_bytes(content)
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(IntegrityError, match="checksum"):
        read(reader, 0, 1)  # another frame than the damaged one


def test_a_file_replaced_by_another_of_its_size_and_by_its_like(file, checked):
    reader = VerifiedReader([file])
    read(reader, 0, 1)
    right, other = file.path.read_bytes(), file.path.with_name("other.npy")
    other.write_bytes(right[:-1] + b"\xff")
    other.replace(file.path)
    with pytest.raises(IntegrityError, match="checksum"):
        read(reader, 0, 1)
    other.write_bytes(right)
    other.replace(file.path)
    assert read(reader, 0, 1).tolist() == [list(range(16))]


def test_a_file_that_was_changed_a_moment_ago_is_not_believed_for_long(file, monkeypatch):
    """Two changes within one tick of the file system's clock leave the same times."""
    reader = VerifiedReader([file])
    stat = file.path.stat()
    monkeypatch.setattr(time, "time_ns", lambda: stat.st_ctime_ns + 1)
    read(reader, 0, 1)
    assert not reader._verified.any()
    monkeypatch.setattr(time, "time_ns", lambda: stat.st_ctime_ns + 2 * cached_reader.RACE_WINDOW_NS)
    read(reader, 0, 1)
    assert reader._verified.all()


def test_a_file_changed_while_it_is_read_is_read_again(file, checked):
    reader = VerifiedReader([file])
    changes = [file.path.read_bytes()[:-1] + b"\xff"]

    def changing(values):
        found = values[:1].copy()
        if changes:
            file.path.write_bytes(changes.pop())
        return found

    with pytest.raises(IntegrityError, match="checksum"):
        reader.read(0, changing)


def test_a_file_that_is_cut_is_found_before_it_is_touched(file, checked):
    reader = VerifiedReader([file])
    read(reader, 0, 3)
    os.truncate(file.path, 128)  # to touch its map now would end this process
    with pytest.raises(IntegrityError, match="has 128 bytes in place of 176"):
        read(reader, 0, 3)
    file.path.unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        read(reader, 0, 3)


def _read(reader, found):
    found.put(read(reader, 0, 1).sum())


def test_what_a_forked_worker_has_looked_at_the_others_believe(file, checked):
    reader = VerifiedReader([file])
    context = multiprocessing.get_context("fork")
    found = context.Queue()
    worker = context.Process(target=_read, args=(reader, found))
    worker.start()
    assert found.get(timeout=600) == sum(range(16))
    worker.join()
    read(reader, 1, 2)
    assert len(checked) == 0  # in this process


def test_pickled_it_begins_anew(file, checked):
    reader = VerifiedReader([file])
    read(reader, 0, 1)
    read(pickle.loads(pickle.dumps(reader)), 0, 1)
    assert len(checked) == 2


@pytest.fixture
def many(tmp_path):
    """Files that differ in their first value."""
    values = np.arange(48, dtype=np.uint8).reshape(3, 16)
    files = []
    for number in range(100):
        np.save(tmp_path / f"{number}.npy", values + np.uint8(number))
        files.append(StoreArray(tmp_path / f"{number}.npy", values.shape, checksum_of(values + np.uint8(number))))
    return files


def first_values(reader):
    return [int(reader.read(number, lambda values: values[0, 0])) for number in range(len(reader.files))]


@pytest.fixture
def few_descriptors():
    """Ten more than the highest that is open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 11, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_store_may_have_more_files_than_a_process_may_open(many, few_descriptors):
    reader = VerifiedReader(many)
    assert first_values(reader) == first_values(reader) == list(range(100))


def test_no_more_files_are_kept_open_than_allowed(many, checked):
    reader = VerifiedReader(many, most=3)
    assert first_values(reader) == first_values(reader) == list(range(100))
    assert list(reader._open) == [97, 98, 99]
    assert len(checked) == 100  # a file is looked at once, however often it is opened
    for number in (97, 0):
        reader.read(number, np.copy)
    assert list(reader._open) == [99, 97, 0]  # those that were read last
    assert len(pickle.loads(pickle.dumps(reader)).files) == 100


def test_where_no_descriptor_is_left_the_limit_is_named(many, few_descriptors):
    reader, held = VerifiedReader(many), []
    try:
        with suppress(OSError):
            while True:
                held.append(os.open(many[0].path, os.O_RDONLY))
        with pytest.raises(IntegrityError, match="Too many open files") as raised:
            reader.read(0, np.copy)
    finally:
        for descriptor in held:
            os.close(descriptor)
    assert "ulimit" in raised.value.remedy
