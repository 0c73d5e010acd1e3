import hashlib
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest

from fbm.data import reading
from fbm.data.array_file import ArrayFile, WrongFileError
from fbm.data.reading import Reader

LONG_AGO = time.time() - 1000


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.npy"
    values = np.arange(48, dtype=np.uint8).reshape(3, 16)
    np.save(path, values)
    return ArrayFile(path, values.shape, hashlib.sha256(values.tobytes()).hexdigest())


@pytest.fixture
def checked(monkeypatch):
    """Counts how often a file is read whole; files are taken to be old."""
    monkeypatch.setattr(reading, "FRESH", 0)
    count: list[int] = []
    real = ArrayFile.check_opened

    def counted(self, opened):
        count.append(1)
        real(self, opened)

    monkeypatch.setattr(ArrayFile, "check_opened", counted)
    return count


def test_a_file_is_looked_at_whole_once_and_again_when_it_changed(file, checked):
    reader = Reader([file])
    for start in (0, 1, 2):
        assert reader.read(0, start, start + 1).tolist() == [list(range(16 * start, 16 * start + 16))]
    assert len(checked) == 1
    os.utime(file.path, (LONG_AGO, LONG_AGO))  # another time, the same content
    assert reader.read(0, 0, 3).shape == (3, 16)
    assert len(checked) == 2


def test_a_byte_changed_with_the_old_time_put_back_is_found(file, checked):
    reader = Reader([file])
    reader.read(0, 0, 1)
    stat = file.path.stat()
    content = bytearray(file.path.read_bytes())
    content[-1] ^= 1
    file.path.write_bytes(content)
    os.utime(file.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(WrongFileError, match="checksum"):
        reader.read(0, 0, 1)  # another frame than the damaged one


def test_a_file_replaced_by_another_of_its_size_and_by_its_like(file, checked):
    reader = Reader([file])
    reader.read(0, 0, 1)
    right, other = file.path.read_bytes(), file.path.with_name("other.npy")
    other.write_bytes(right[:-1] + b"\xff")
    other.replace(file.path)
    with pytest.raises(WrongFileError, match="checksum"):
        reader.read(0, 0, 1)
    other.write_bytes(right)
    other.replace(file.path)
    assert reader.read(0, 0, 1).tolist() == [list(range(16))]


def test_a_file_that_was_changed_a_moment_ago_is_not_believed_for_long(file, monkeypatch):
    """Two changes within one tick of the file system's clock leave the same times."""
    reader = Reader([file])
    stat = file.path.stat()
    monkeypatch.setattr(time, "time_ns", lambda: stat.st_ctime_ns + 1)
    reader.read(0, 0, 1)
    assert not reader._right.any()
    monkeypatch.setattr(time, "time_ns", lambda: stat.st_ctime_ns + 2 * reading.FRESH)
    reader.read(0, 0, 1)
    assert reader._right.all()


def test_a_file_changed_while_it_is_read_is_read_again(file, checked, monkeypatch):
    reader = Reader([file])
    real = ArrayFile.values
    changes = [file.path.read_bytes()[:-1] + b"\xff"]

    def changing(self, opened, start, stop):
        found = real(self, opened, start, stop)
        if changes:
            file.path.write_bytes(changes.pop())
        return found

    monkeypatch.setattr(ArrayFile, "values", changing)
    with pytest.raises(WrongFileError, match="checksum"):
        reader.read(0, 0, 1)


def _read(reader, found):
    found.put(reader.read(0, 0, 1).sum())


def test_what_a_forked_worker_has_looked_at_the_others_believe(file, checked):
    reader = Reader([file])
    context = multiprocessing.get_context("fork")
    found = context.Queue()
    worker = context.Process(target=_read, args=(reader, found))
    worker.start()
    assert found.get(timeout=30) == sum(range(16))
    worker.join()
    reader.read(0, 1, 2)
    assert len(checked) == 0  # in this process


def test_pickled_it_begins_anew(file, checked):
    reader = Reader([file])
    reader.read(0, 0, 1)
    pickle.loads(pickle.dumps(reader)).read(0, 0, 1)
    assert len(checked) == 2
