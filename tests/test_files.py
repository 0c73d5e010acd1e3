import multiprocessing
import resource
import signal
import subprocess
import sys

import pytest

from fbm.errors import UserError
from fbm.files import checksum, held, whole_file, write_text


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_when_its_block_ends_and_not_before(tmp_path):
    path = tmp_path / "deep" / "file"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["file"]


def test_an_older_file_stays_when_the_block_fails(tmp_path):
    path = tmp_path / "file"
    write_text(path, "old")

    def fail():
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_file_too_large_for_the_disk_leaves_nothing(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = "import sys, pathlib; from fbm.files import write_text; write_text(pathlib.Path(sys.argv[1]), 'x' * 5000)"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "file"], preexec_fn=limit, capture_output=True)
    assert b"File too large" in done.stderr
    assert names(tmp_path) == []


def test_the_checksum_is_sha_256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert checksum(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def _hold(folder, ready):
    with held(folder, "the store"):
        ready.set()
        signal.pause()


def test_a_folder_is_held_by_one_process_and_free_when_that_is_killed(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(UserError, match=r"the store .* is in use by another fbm"), held(tmp_path, "the store"):
        pass
    holder.kill()
    holder.join()
    with held(tmp_path, "the store"):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: Not a directory"), held(tmp_path / "file" / "x", "it"):
        pass
