"""A store that is damaged, replaced or prepared anew before or under `fbm train`: found, named, and gone on from."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fbm.data.store.manifest import MANIFEST, frames_file, masks_file, read_manifest
from tests.tiny import fbm, make_store, only_error, settings
from tests.training.interrupted import Moment, assert_same, end_at

NAME = "Bounce/v_Bounce_g03_c01"  # trains


@pytest.fixture
def own(store, tmp_path):
    """A store that a test may break."""
    return shutil.copytree(store, tmp_path / "store")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def train(own, capsys, *more):
    """Gives the exit status and the last line of standard error."""
    capsys.readouterr()
    status = fbm("train", *settings(own, f"run_dir={own.parent}/run", "trainer.max_epochs=2", *more))
    lines = capsys.readouterr().err.splitlines()
    return status, only_error(lines[-1]) if lines else ""


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (cut, "has 52,288 bytes in place of 104,576: run `fbm prepare` again"),
        (Path.unlink, "is missing: run"),
    ],
)
def test_what_is_missing_or_cut_is_found_before_anything_starts(own, capsys, break_it, words):
    path = frames_file(own, NAME)
    break_it(path)
    status, said = train(own, capsys)
    assert status == 1
    assert said.startswith(f"{path} {words}")
    assert not (own.parent / "run" / "checkpoints").exists()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("part", [frames_file, lambda store, name: masks_file(store, "boxes", name)])
def test_a_byte_flipped_is_found_by_the_read_that_hits_it(own, capsys, workers, part):
    path = part(own, NAME)
    flip(path)
    status, said = train(own, capsys, f"data.num_workers={workers}")
    assert (status, said) == (
        1,
        f"{path} is not what was stored (checksum): delete it and run `fbm prepare` again",
    )


def replaced(own):
    shutil.copy(frames_file(own, NAME.replace("g03", "g04")), frames_file(own, NAME))


def prepared_anew(own):
    """By another command, from other annotations."""
    flip(masks_file(own, "boxes", NAME))
    manifest = read_manifest(own)
    videos = [replace(v, masks_checksum="f" * 64) if v.name == NAME else v for v in manifest.videos]
    (own / MANIFEST).write_text(replace(manifest, videos=videos).to_json())


UNDER_A_RUN = {
    "cut": (lambda own: cut(frames_file(own, NAME)), "has 52,288 bytes in place of 104,576: run `fbm prepare` again"),
    "flipped": (lambda own: flip(frames_file(own, NAME)), "is not what was stored (checksum): delete it and run"),
    "replaced": (replaced, "is not what was stored (checksum): delete it and run"),
    "gone": (lambda own: frames_file(own, NAME).unlink(), "is missing: run `fbm prepare` again"),
    "prepared anew": (prepared_anew, "is not what was stored (checksum): the store was prepared again"),
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A run of two epochs that nothing disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    more = ("trainer.max_epochs=2", f"run_dir={folder}/run", "name=run")
    assert fbm("train", *settings(make_store(folder / "store"), *more)) == 0
    return folder / "run"


@pytest.mark.parametrize("how", UNDER_A_RUN)
def test_what_happens_to_a_store_under_a_run_is_found_by_the_read_that_hits_it(own, monkeypatch, capsys, how):
    break_it, words = UNDER_A_RUN[how]
    end_at(monkeypatch, Moment("on_train_batch_end", 0, 0), how=lambda: break_it(own))
    status, said = train(own, capsys)
    assert status == 1
    assert words in said
    assert NAME in said


def test_when_it_is_mended_the_run_goes_on_as_if_nothing_had_been(own, store, alone, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        end_at(patch, Moment("on_train_batch_end", 1, 0), how=lambda: cut(frames_file(own, NAME)))
        assert train(own, capsys, "callbacks.last.minutes=0", "name=run")[0] == 1
    shutil.rmtree(own)
    shutil.copytree(store, own)
    assert train(own, capsys, "callbacks.last.minutes=0", "name=run") == (0, "")
    assert_same(own.parent / "run", alone)


def test_other_splits_under_a_run_leave_it_as_it_was_and_another_one_starts_with_them(own, alone, monkeypatch, capsys):
    """What a run has read of the manifest stays; nothing of the files has changed."""

    def split_anew():
        manifest = read_manifest(own)
        videos = [replace(v, split="val") if v.group == 5 else v for v in manifest.videos]
        (own / MANIFEST).write_text(replace(manifest, videos=videos).to_json())

    end_at(monkeypatch, Moment("on_train_batch_end", 1, 0), how=split_anew)
    assert train(own, capsys, "name=run") == (0, "")
    assert_same(own.parent / "run", alone)
