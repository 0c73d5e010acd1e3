import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fbm.utils.errors import InUseError, UserError
from fbm.utils.files import (
    atomic_write,
    checksum,
    describe_write_error,
    exclusive_lock,
    is_locked,
    remove_partial,
    shared_lock,
    write_text,
)


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_when_its_block_ends_and_not_before(tmp_path):
    path = tmp_path / "deep" / "file"
    with atomic_write(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["file"]


def test_a_link_stays_one(tmp_path):
    link = tmp_path / "link.csv"
    (tmp_path / "real.csv").write_text("old")
    link.symlink_to("real.csv")
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(tmp_path / "pipe") as file:
        file.write(b"rows")
    assert os.read(reader, 10) == b"rows"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_an_older_file_stays_when_the_block_fails(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail():
        with atomic_write(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


@pytest.mark.slow
def test_a_file_too_large_for_the_disk_leaves_nothing(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = (
        "import sys, pathlib; from fbm.utils.files import write_text; write_text(pathlib.Path(sys.argv[1]), 'x' * 5000)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], preexec_fn=limit, capture_output=True)
    assert b"File too large" in done.stderr
    assert names(tmp_path) == []


def raise_in_block(path, error, **options):
    with atomic_write(path, **options) as file:
        file.write(b"new")
        raise error


def test_a_failed_write_names_the_file_that_was_meant(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(OSError, match="No space") as caught:
        raise_in_block(path, OSError(errno.ENOSPC, "No space left on device"))
    assert caught.value.filename == str(path)
    line = describe_write_error(caught.value)
    assert line is not None
    assert line.startswith(f"{path} cannot be written: No space left on device")
    with pytest.raises(OSError, match="No such file") as caught:
        raise_in_block(path, FileNotFoundError(errno.ENOENT, "No such file", "another"))
    assert caught.value.filename == "another"


def test_a_folder_that_takes_no_file_is_named_by_the_file_that_was_meant(tmp_path):
    path = tmp_path / ("x" * 250)  # itself not too long a name, but the temporary one is
    with pytest.raises(OSError, match="File name too long") as caught:
        write_text(path, "new")
    assert caught.value.filename == str(path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("lasting", [True, False])
def test_a_lasting_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch, lasting):
    synced = []
    monkeypatch.setattr("os.fsync", lambda number: synced.append((os.fstat(number).st_size, names(tmp_path))))
    with atomic_write(tmp_path / "file", fsync=lasting) as file:
        file.write(b"new")
    assert [size for size, _ in synced] == [3] * lasting
    assert all("file" not in there for _, there in synced)
    assert names(tmp_path) == ["file"]


def test_what_killed_processes_left_is_swept_and_nothing_else(tmp_path):
    left = tmp_path / "deep" / ".file.7.part"
    left.parent.mkdir()
    for path in (left, tmp_path / ".lock", tmp_path / "mine.part", tmp_path / "deep" / "file"):
        path.touch()
    remove_partial(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".lock", "deep", "file", "mine.part"]


def test_the_checksum_is_sha_256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert checksum(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def _hold(folder, ready):
    with exclusive_lock(folder, "the store"):
        ready.set()
        signal.pause()


@pytest.mark.slow
def test_a_folder_is_held_by_one_process_and_free_when_that_is_killed(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(600)
    with (
        pytest.raises(UserError, match=r"the store .* is in use by another fbm"),
        exclusive_lock(tmp_path, "the store"),
    ):
        pass
    holder.kill()
    holder.join()
    with exclusive_lock(tmp_path, "the store"):
        pass


def _wait(runs, go_on):
    runs.set()
    go_on.wait(600)


def test_a_forked_child_does_not_hold_its_parents_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    runs, go_on = context.Event(), context.Event()
    child = context.Process(target=_wait, args=(runs, go_on))
    with exclusive_lock(tmp_path, "the store"):
        child.start()
        assert runs.wait(600)
        assert is_locked(tmp_path)
    assert child.is_alive()
    assert not is_locked(tmp_path)
    go_on.set()
    child.join()
    assert child.exitcode == 0


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match=r"cannot be written: Not a directory"),
        exclusive_lock(tmp_path / "file" / "x", "it"),
    ):
        pass


def test_shared_locks_exclude_an_exclusive_one_alone(tmp_path):
    with shared_lock(tmp_path, "the store"), shared_lock(tmp_path, "the store"):
        assert is_locked(tmp_path)
        with pytest.raises(InUseError, match="is in use by another fbm"), exclusive_lock(tmp_path, "the store"):
            pass
    assert not is_locked(tmp_path)
    with (
        exclusive_lock(tmp_path, "the store"),
        pytest.raises(InUseError, match="is in use"),
        shared_lock(tmp_path, "it"),
    ):
        pass


def test_a_lock_is_waited_for(tmp_path):
    order = []

    def wait():
        with exclusive_lock(tmp_path, "the store", wait=True):
            order.append("second")

    with exclusive_lock(tmp_path, "the store"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join(600)
    assert order == ["first", "second"]


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(UserError, match="cannot be locked: No locks available") as found, shared_lock(tmp_path, "it"):
        pass
    assert not isinstance(found.value, InUseError)


def test_a_lock_of_another_user_is_seen(tmp_path, monkeypatch):
    original = Path.open

    def unwritable(path, mode="r", *_):
        if mode != "r":
            raise PermissionError(errno.EACCES, "not yours")
        return original(path, mode)

    with exclusive_lock(tmp_path, "the store"):
        monkeypatch.setattr(Path, "open", unwritable)
        assert is_locked(tmp_path)
        monkeypatch.undo()
    monkeypatch.setattr(Path, "open", unwritable)
    assert not is_locked(tmp_path)


def test_of_a_folder_in_use_only_named_files_are_swept(tmp_path):
    for name in (".a.b.npy.7.part", ".c.npy.7.part", "deep/.a.b.npy.7.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    remove_partial(tmp_path, {tmp_path / "a.b"})
    assert sorted(path.name for path in tmp_path.rglob("*.part")) == [".a.b.npy.7.part", ".c.npy.7.part"]
