"""`fbm prepare` and `fbm doctor data` as a user runs them, in processes of their own: bad input, kills, full disks."""

import json
import os
import pickle
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fbm.data.store.journal import JOURNAL
from fbm.data.store.manifest import MANIFEST, read_manifest
from fbm.utils.files import exclusive_lock
from tests import processes
from tests.data.store.stored import contents
from tests.disks import disk

__all__ = ["disk"]  # the fixture

FBM = [processes.FBM]


def command(name, root, store, *more):
    return [*FBM, name, "data=ucf101", f"data.root={root}", f"data.store={store}", "data.size=32", *more]


def fbm(name, root, store, *more, **options):
    return processes.run(command(name, root, store, *more), capture_output=True, text=True, timeout=600, **options)


def refused(done, words):
    """Exactly one line of ours that says `words`, a failing status, and nothing that looks like a crash."""
    ours = [line for line in done.stderr.splitlines() if line.startswith("fbm:")]
    assert len(ours) == 1, done.stderr
    assert ours[0].startswith("fbm: error: ")
    assert re.search(words, ours[0]), ours[0]
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    # Beside that line there is a progress bar at most.
    assert [
        line
        for line in done.stderr.splitlines()
        if line and not re.match(r"fbm: |(prepare|lengths|data set|store) ", line)
    ] == []


def nothing_half_written(store):
    assert not list(store.rglob("*.part"))
    if (store / MANIFEST).exists():
        for video in read_manifest(store).videos:
            assert video.status
    else:
        assert not list(store.rglob("*.npy"))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def empty(root):
    shutil.rmtree(root.path)
    root.path.mkdir()


BAD_DATA_SETS = {
    "no such root": (lambda root: shutil.rmtree(root.path), "small: no such folder"),
    "empty root": (empty, "holds no folder UCF-101"),
    "split line outside": (
        lambda root: root.list_file("train").write_text("Bounce/v_Bounce_g02_c01.avi 1\n../../x.avi 1\n"),
        "line 2: '../../x.avi' is not of the form",
    ),
    "leaking lists": (
        lambda root: root.list_file("test").write_text(root.list_file("train").read_text()),
        "the splits leak: group g02 of Bounce",
    ),
}


@pytest.mark.parametrize("case", BAD_DATA_SETS)
def test_a_bad_data_set_is_one_line(small_root, store, case):
    spoil, words = BAD_DATA_SETS[case]
    spoil(small_root)
    refused(fbm("prepare", small_root.path, store), words)
    assert not store.exists()


BAD_SETTINGS = {
    "data.classes=[Bonce]": "class 'Bonce' has no folder .*did you mean 'Bounce'",
    "data.classes=Bounce": "data.classes='Bounce': it should be",
    "data.size=abc": "data.size=abc: it should be a whole number",
    "data.size=0": "data.size=0: it should be",
    "data.store=null": "data.store=None: it should be the folder",
    "data.skip_broken=abc": "data.skip_broken=abc: it should be true or false",
    "prepare.workers=-1": "prepare.workers=-1: it should be",
    "prepare.timeout=soon": "prepare.timeout=soon: it should be",
    "data.validation_seed=-1": "data.validation_seed=-1",
    "data.split=4": "data.split=4: it should be 1, 2, 3 or 'all'",
    "prepare.timout=3": "no such setting 'prepare.timout'; did you mean 'prepare.timeout'",
    "masks=boxs": "no such option 'masks/boxs'; did you mean 'boxes'",
    "data.annotations=/nowhere": "data.annotations=/nowhere: no such file or folder",
}


@pytest.fixture(scope="module")
def tried(demo_root, tmp_path_factory):
    """Every bad setting tried once on a store of its own, two at a time: most of it is waiting for imports."""
    folder = tmp_path_factory.mktemp("tried")

    def attempt(number_and_setting):
        number, setting = number_and_setting
        return setting, folder / str(number), fbm("prepare", demo_root, folder / str(number), setting)

    with ThreadPoolExecutor(2) as pool:
        return {setting: (store, done) for setting, store, done in pool.map(attempt, enumerate(BAD_SETTINGS))}


@pytest.mark.parametrize("setting", BAD_SETTINGS)
def test_a_bad_setting_is_one_line(tried, setting):
    store, done = tried[setting]
    refused(done, BAD_SETTINGS[setting])
    assert not list(store.rglob("*.npy"))


def test_a_pickle_that_would_run_a_command_is_one_line_and_does_not_run(small_root, store, tmp_path):
    class Command:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    bait = tmp_path / "boxes.pkl"
    bait.write_bytes(pickle.dumps(Command()))
    setting = f"data.annotations={bait}"
    refused(fbm("prepare", small_root.path, store, setting), "refused: .*system.*could run code")
    found = fbm("doctor", small_root.path, tmp_path / "nowhere", setting)
    refused(found, "problems found: 1")
    assert "could run code" in found.stdout
    assert not (tmp_path / "ran").exists()
    assert not list(store.rglob("*.npy"))


def spoil_videos(root):
    whole = root.video(0).read_bytes()
    root.video(0).write_bytes(b"")
    root.video(1).write_bytes(np.random.default_rng(0).bytes(9999))
    root.video(2).write_bytes(root.video(2).read_bytes()[: len(whole) // 2])
    root.video(3).write_text("this is no video")


def spoil_annotations(root):
    texts = [root.xgtf(number).read_text() for number in range(4)]
    count = re.search(r'dvalue value="(\d+)"', texts[0])
    assert count is not None
    root.xgtf(0).write_text(texts[0].replace('x="', 'x="9', 1))
    root.xgtf(1).write_text(texts[1].replace('<data:dvalue value="', '<data:dvalue value="9', 1))
    root.xgtf(2).write_text(re.sub(r'dvalue value="\d+"', 'dvalue value="5"', texts[2], count=1))
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    root.xgtf(3).write_text(f'<!DOCTYPE viper [<!ENTITY e0 "ha">{entities}]><viper>&e9;</viper>')


SPOILT = {
    "videos": (
        spoil_videos,
        ["undecodable: .*empty", "undecodable: .*not a video", "short: .*is cut", "undecodable: .*not a video"],
    ),
    "annotations": (
        spoil_annotations,
        ["bad_annotation: .*outside", r"for 9\d\d? frames", "for 5 frames", "declares XML entities"],
    ),
}


def test_a_single_broken_video_is_named_once(small_root, store):
    small_root.video(1).write_bytes(b"no video")
    done = fbm("prepare", small_root.path, store)
    refused(done, f"1 of 4 videos cannot be used: undecodable: {small_root.names[1]}: .*; the others are stored: fix")
    assert small_root.names[1] not in done.stdout


@pytest.mark.parametrize("what", SPOILT)
def test_spoilt_files_are_each_named_and_make_one_error(small_root, store, what):
    spoil, reasons = SPOILT[what]
    spoil(small_root)
    done = fbm("prepare", small_root.path, store)
    refused(done, "4 of 4 videos cannot be used, named above; .*data.skip_broken=true")
    lines = done.stdout.splitlines()
    for name, reason in zip(small_root.names, reasons, strict=True):
        assert any(name in line and re.search(reason, line) for line in lines), done.stdout
    nothing_half_written(store)
    refused(fbm("prepare", small_root.path, store, "data.skip_broken=true"), "none of the 4 videos can be used")
    refused(fbm("doctor", small_root.path, store, "data=ucf101"), "problems found: 8")


def test_the_doctor_is_content_with_what_prepare_made(small_root, store):
    done = fbm("prepare", small_root.path, store)
    assert (done.returncode, "4 prepared now" in done.stdout) == (0, True)
    before = {path: path.stat().st_mtime_ns for path in [*store.rglob("*"), *small_root.path.rglob("*")]}
    found = fbm("doctor", small_root.path, store)
    assert found.returncode == 0, found.stderr
    assert {path: path.stat().st_mtime_ns for path in [*store.rglob("*"), *small_root.path.rglob("*")]} == before
    again = fbm("prepare", small_root.path, store)
    assert (again.returncode, "nothing to do" in again.stdout) == (0, True)


@pytest.fixture(scope="module")
def undisturbed(demo_root, tmp_path_factory):
    """A store of the demo set that nothing interrupted."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    done = fbm("prepare", demo_root, store)
    assert done.returncode == 0, done.stderr
    return store


def journalled(store):
    """Whole lines of the journal."""
    path = store / JOURNAL
    return path.read_text().splitlines() if path.exists() else []


def times(store):
    return {path: path.stat().st_mtime_ns for path in store.rglob("*.npy")}


PAUSES = """
import signal, sys
from contextlib import contextmanager
from fbm.cli.main import main
from fbm.data.store import prepare

shown, done = prepare.progress, 0

@contextmanager
def pausing(*given):
    with shown(*given) as advance:
        def counted():
            global done
            advance()
            done += 1
            if done == 3:
                signal.pause()
        yield counted

prepare.progress = pausing
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_and_run_again_it_comes_to_the_same(demo_root, undisturbed, store, how):
    with processes.Popen(
        [sys.executable, "-c", PAUSES, *command("prepare", demo_root, store, "prepare.workers=1")[len(FBM) :]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 600
        while len(journalled(store)) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(how)
        _, errors = process.communicate(timeout=600)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130)
    assert "Traceback" not in errors
    done = len(journalled(store))
    assert done == 3
    assert not (store / MANIFEST).exists()
    kept = times(store)
    (store / "frames" / ".x.npy.1.part").write_text("half")
    again = fbm("prepare", demo_root, store)
    assert again.returncode == 0, again.stderr
    prepared_now = re.search(r"(\d+) prepared now", again.stdout)
    assert prepared_now is not None
    assert 30 - done - 1 <= int(prepared_now[1]) <= 30 - 3
    assert contents(store) == contents(undisturbed)
    stored = {json.loads(line)["name"] for line in journalled(store)}
    assert stored == set()  # the journal is gone, and what it named was not made again
    assert sum(times(store)[path] == stamp for path, stamp in kept.items()) >= 2 * 3


def test_a_second_prepare_on_the_same_store_is_refused(small_root, store):
    with exclusive_lock(store, "the store"):
        refused(fbm("prepare", small_root.path, store), "the store .* is in use by another fbm")
    assert [path.name for path in store.iterdir()] == [".lock"]


def test_what_is_used_in_part_and_a_class_without_clips_are_told(small_root, store):
    spoilt = (("UTF-8", "klingon"), ('id="0" name="PERSON"', 'id="0" name="Person"'), (' width="', ' width="-'))
    for number, words in enumerate(spoilt):
        path = small_root.xgtf(number)
        path.write_text(path.read_text().replace(*words, 1))
    more = ("masks.source.misfits=leave_out", "data.skip_broken=true", "data.chunk_frames=100")
    for _ in range(2):
        done = fbm("prepare", small_root.path, store, *more)
        assert done.returncode == 0, done.stderr
        said = done.stdout.splitlines()
        first, second, third, _ = small_root.names
        assert any(re.match(f"bad_annotation: {first}: .*unknown encoding: klingon", line) for line in said)
        assert (
            f"partly used: {second}: objects of its annotation that are not named PERSON are not used: 1 'Person'"
            in said
        )
        assert any(
            re.match(f"partly used: {third}: .* empty or outside .*; [0-9]+ of its [0-9]+ boxes", line) for line in said
        )
        assert "no clip has the class Bounce: `fbm train data.empty_classes=leave_out` takes it from the labels" in said


def test_a_file_size_limit_is_one_line_and_the_next_run_goes_on(demo_root, undisturbed, store):
    rows = read_manifest(undisturbed).videos
    frames = [row.frames for row in rows]
    longest = frames.index(max(frames))
    assert longest >= 3, "the first videos are to be stored before the limit is met"
    limit = 128 + max(frames[:longest]) * 32 * 32 * 3
    done = fbm(
        "prepare",
        demo_root,
        store,
        "prepare.workers=1",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    refused(done, r"the store .* cannot be written: File too large; \d+ videos are done and kept")
    assert not list(store.rglob("*.part"))
    names = [json.loads(line)["name"] for line in journalled(store)]
    assert f"; {len(names)} videos are done" in done.stderr
    assert 1 <= len(names) <= longest
    kept = {path: stamp for path, stamp in times(store).items() if any(name in str(path) for name in names)}
    assert len(kept) == 2 * len(names)
    assert fbm("prepare", demo_root, store).returncode == 0
    assert contents(store) == contents(undisturbed)
    assert {path: times(store)[path] for path in kept} == kept


def test_a_disk_that_fills_is_one_line_and_the_next_run_goes_on(demo_root, undisturbed, disk):
    frames = sum(row.frames for row in read_manifest(undisturbed).videos)
    # Enough for the bytes that are announced, not for the blocks that sixty files round up to.
    store = disk(f"size={frames * 32 * 32 * 3 + frames * 32 * 4 + 20_000}") / "store"
    done = fbm("prepare", demo_root, store)
    refused(done, r"the store .* cannot be written: No space left on device; \d+ videos are done and kept")
    assert not list(store.rglob("*.part"))
    assert len(journalled(store)) > 10
    kept = len(times(store))
    disk("size=64m")
    again = fbm("prepare", demo_root, store)
    assert again.returncode == 0, again.stderr
    assert contents(store) == contents(undisturbed)
    assert kept < len(times(store)) == 60


def test_a_disk_too_small_is_refused_before_anything_is_written(demo_root, disk):
    folder = disk("size=1000000")
    done = fbm("prepare", demo_root, folder / "store")
    refused(done, r"not enough disk for .*: 1,\d+ frames need \d")
    assert not list(folder.rglob("*.npy"))


def test_classes_do_not_leave_a_store_unasked(demo_root, tmp_path):
    store = tmp_path / "store"
    assert fbm("prepare", demo_root, store, "masks=none", "data.name=mine").returncode == 0
    before = contents(store)
    some = ("masks=none", "data.classes=[Bounce,Orbit]")
    refused(fbm("prepare", demo_root, store, *some), r"4 of the 6 classes in the store .* would leave it")
    assert contents(store) == before
    done = fbm("prepare", demo_root, store, *some, "prepare.drop_classes=true")
    assert done.returncode == 0
    assert read_manifest(store).classes == ["Bounce", "Orbit"]
    again = fbm("prepare", demo_root, store, "masks=none", "data.name=mine")
    assert "nothing to do" in again.stdout  # their frames were kept
    assert contents(store) == before


def test_what_training_takes_over_is_in_the_manifest(small_root, tmp_path):
    store = tmp_path / "store"
    assert (
        fbm("prepare", small_root.path, store, "masks=none", "data.name=mine", "data.skip_broken=true").returncode == 0
    )
    assert read_manifest(store).settings == {"name": "mine", "skip_broken": True}


def test_masks_cannot_be_prepared_from_the_store_itself(small_root, tmp_path):
    refused(fbm("prepare", small_root.path, tmp_path / "store", "masks=stored"), "masks=stored is for fbm train")
    assert not (tmp_path / "store" / MANIFEST).exists()
