"""`fbm prepare prepare.shards=N`: the same store, whatever is killed, started twice or started by whom."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from fbm.data.store.journal import JOURNAL, as_line
from fbm.data.store.manifest import MANIFEST, read_manifest
from fbm.data.store.shards import DONE, LISTING, SHARDS
from fbm.utils.files import exclusive_lock
from tests import processes
from tests.data.store.stored import contents
from tests.data.store.test_prepare_command import FBM, command, fbm, refused, store, times, undisturbed

__all__ = ["store", "undisturbed"]  # fixtures

THREE = "prepare.shards=3"
PAUSES = """
import signal, sys
from contextlib import contextmanager
from fbm.cli.main import main
from fbm.data.store import prepare

done = 0

@contextmanager
def pausing(*given):
    def counted():
        global done
        done += 1
        if done == 3:
            signal.pause()
    yield counted

prepare.progress_lines = pausing
sys.exit(main(sys.argv[1:]))
"""


def shard(root, store, number, *more):
    return fbm("prepare", root, store, THREE, f"prepare.shard={number}", *more)


def prepared_now(done):
    assert done.returncode == 0, done.stderr
    found = re.search(r"(\d+) prepared now", done.stdout)
    assert found is not None
    return int(found[1])


@contextmanager
def paused(root, store, number):
    """A shard that stops after its third video."""
    words = command("prepare", root, store, THREE, f"prepare.shard={number}", "prepare.workers=1")[len(FBM) :]
    journal = store / SHARDS / f"{number}-of-3" / JOURNAL
    with processes.Popen(
        [sys.executable, "-c", PAUSES, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 600
        while not (journal.exists() and len(journal.read_text().splitlines()) == 3):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.01)
        try:
            yield process
        finally:
            process.kill()


def test_shards_at_the_same_time_make_the_same_store(demo_root, undisturbed, store):
    with ThreadPoolExecutor() as threads:
        done = list(threads.map(lambda number: shard(demo_root, store, number), range(3)))
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert contents(store) == contents(undisturbed)
    assert sum("fingerprint" in one.stdout for one in done) == 1  # the last one describes the whole store
    assert sum("lengths" in one.stderr for one in done) <= 2  # the third finds the list of the others
    for number, one in enumerate(done):
        lines = one.stdout.splitlines()
        assert f"shard {number} of 3: 10 of 30 videos, 10 to prepare" in lines
        assert any(line.startswith(f"shard {number} of 3: finished, 10 prepared now, 0 not usable; ") for line in lines)
    again = [shard(demo_root, store, number) for number in range(3)]
    assert ["shard 2 of 3: 10 of 30 videos, 0 to prepare" in one.stdout for one in again] == [False, False, True]
    assert "nothing to do" in again[2].stdout
    assert contents(store) == contents(undisturbed)


def test_beside_a_running_shard_only_other_shards_start(demo_root, store):
    with paused(demo_root, store, 1):
        refused(fbm("prepare", demo_root, store), "the store .* is in use by another fbm")
        refused(shard(demo_root, store, 1), "shard 1 of 3 of .* is running already")
        refused(shard(demo_root, store, 0, "data.size=64"), "data.size=64, but .* have data.size=32: give all the same")
        refused(shard(demo_root, store, 0, "masks=none"), "masks.name=none, but")
        refused(shard(demo_root, store, 0, "data.classes=[Bounce]"), r"data.classes=\[\"Bounce\"\], but")
        refused(
            fbm("prepare", demo_root, store, "prepare.shards=2", "prepare.shard=0"),
            "prepare.shards=2, but 1 of prepare.shards=3 are preparing",
        )
        done = shard(demo_root, store, 0)
        assert prepared_now(done) == 10
        assert "not finished yet: 1, 2" in done.stdout
        doctor = fbm("doctor", demo_root, store)
        assert doctor.returncode == 1
        assert "shards 1, 2 of 3 are not finished, 1 of them running" in doctor.stdout
    assert not (store / MANIFEST).exists()


def test_a_killed_shard_resumes_and_the_store_is_the_same(demo_root, undisturbed, store):
    for number in (0, 2):
        assert prepared_now(shard(demo_root, store, number)) == 10
    with paused(demo_root, store, 1) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(600)
    names = [json.loads(line)["name"] for line in (store / SHARDS / "1-of-3" / JOURNAL).read_text().splitlines()]
    leftover = store / "frames" / names[0]
    leftover.with_name(f".{leftover.name}.npy.7.part").write_text("half")
    kept = times(store)
    with exclusive_lock(store / SHARDS / "2-of-3", "as if it was running"):
        done = shard(demo_root, store, 1)
    assert 6 <= prepared_now(done) <= 7
    assert contents(store) == contents(undisturbed)
    stored = [stamp for path, stamp in times(store).items() if path in kept and kept[path] == stamp]
    assert len(stored) >= 2 * (20 + 3)


def test_another_shards_half_written_files_stay(demo_root, store):
    others = store / "frames" / "Bounce" / ".another.npy.7.part"
    others.parent.mkdir(parents=True)
    others.write_text("half")
    assert prepared_now(shard(demo_root, store, 0)) == 10
    assert others.read_text() == "half"


def test_fewer_shards_later_resume_what_more_have_done(demo_root, undisturbed, store):
    assert prepared_now(shard(demo_root, store, 1)) == 10
    two = [fbm("prepare", demo_root, store, "prepare.shards=2", f"prepare.shard={number}") for number in range(2)]
    assert sum(int(count) for one in two for count in re.findall(r"finished, (\d+) prepared now", one.stdout)) == 20
    assert contents(store) == contents(undisturbed)


def test_a_preparation_without_shards_finishes_theirs(demo_root, undisturbed, store):
    assert prepared_now(shard(demo_root, store, 1)) == 10
    assert prepared_now(fbm("prepare", demo_root, store)) == 20
    assert contents(store) == contents(undisturbed)


def test_finished_shards_without_a_manifest_are_merged_by_any_command(demo_root, undisturbed, store):
    for number in (0, 1):
        shard(demo_root, store, number)
    noted = shutil.copytree(store / SHARDS, store.parent / "noted")
    shard(demo_root, store, 2)
    done = store / SHARDS / "2-of-3" / DONE
    for again in (lambda: fbm("prepare", demo_root, store), lambda: shard(demo_root, store, 2)):
        (store / MANIFEST).unlink()  # as if the third had been killed before it wrote it
        shutil.copytree(noted, store / SHARDS)
        done.parent.mkdir()
        rows = read_manifest(undisturbed).videos
        known = {json.loads(line)["name"] for path in noted.glob(f"*/{DONE}") for line in path.read_text().splitlines()}
        listed = [json.loads(line) for line in (noted / LISTING).read_text().splitlines()[1:]]
        assert len(rows) == len(listed) == len(known) + 10
        done.write_text("".join(as_line(row) for row in rows if row.name not in known))
        finished = again()
        assert finished.returncode == 0, finished.stderr
        assert contents(store) == contents(undisturbed)


def test_broken_videos_are_rows_as_in_one_preparation(small_root, tmp_path):
    for number in (1, 2):
        small_root.video(number).write_bytes(b"no video" * number)
    one, several = tmp_path / "one", tmp_path / "several"
    alone = fbm("prepare", small_root.path, one, "prepare.workers=1")
    refused(alone, "2 of 4 videos cannot be used")
    first, second, third = (shard(small_root.path, several, number, "prepare.workers=1") for number in range(3))
    assert (first.returncode, second.returncode) == (0, 0)
    refused(third, "2 of 4 videos cannot be used, named above;")
    assert contents(several) == contents(one)
    assert [line for line in third.stdout.splitlines() if line.startswith("undecodable")] == [
        line for line in alone.stdout.splitlines() if line.startswith("undecodable")
    ]


def test_what_would_refuse_the_manifest_is_refused_first(demo_root, store):
    assert fbm("prepare", demo_root, store, "masks=none").returncode == 0
    before = contents(store)
    refused(shard(demo_root, store, 0, "masks=none", "data.classes=[Bounce]"), "5 of the 6 classes .* would leave it")
    assert {name: content for name, content in contents(store).items() if not name.startswith(SHARDS)} == before


def test_a_preparation_without_shards_refuses_them(demo_root, store):
    with exclusive_lock(store, "the store"):
        refused(shard(demo_root, store, 0), "the store .* is in use by another fbm")
    assert [path.name for path in store.iterdir()] == [".lock"]


def test_a_data_set_is_generated_once(tmp_path):
    words = [f"data.root={tmp_path / 'demo'}", f"data.store={tmp_path / 'store'}", "data.size=32"]
    few = [f"data.generate.{key}" for key in ("groups=3", "test_groups=1", "clips=1")]

    def one(number):
        arguments = ["prepare", *words, *few, "prepare.shards=2", f"prepare.shard={number}"]
        # Progress in a line for each video: it shows who generates them.
        code = "from fbm.cli.main import main; from fbm.utils import progress; progress.PAUSE = 0"
        code += f"; raise SystemExit(main({arguments}))"
        command = [sys.executable, "-c", code]
        return processes.run(command, capture_output=True, text=True, timeout=600)

    with ThreadPoolExecutor() as threads:
        done = list(threads.map(one, range(2)))
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    assert sum("demo videos" in one.stderr for one in done) == 1
    assert len(read_manifest(tmp_path / "store").videos) == 18
