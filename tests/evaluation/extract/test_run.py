import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

import fbm
from fbm.data.decoding.pyav import decode
from fbm.evaluation.extract import Options, decoding, extract, main
from fbm.evaluation.extract.parts import write_part
from fbm.utils.errors import UserError
from fbm.utils.files import exclusive_lock
from tests import processes
from tests.evaluation.extract.test_network import trained
from tests.evaluation.extract.videos import make_video, make_videos, moody, only_hanging_takes_time
from tests.runs.test_checkpoints import run_folder
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

QUICK = ("--device", "cpu", "--workers", "1")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return run_folder(tmp_path_factory.mktemp("runs") / "run", trained(0, 32))


def load(out: Path) -> dict[str, np.ndarray]:
    with np.load(out) as content:
        return dict(content)


def by_hand(checkpoint: Path, video: Path, stride: int) -> np.ndarray:
    """A video's pooled features, one clip at a time, without anything of fbm.evaluation.extract."""
    encoder = fbm.load_encoder(checkpoint)
    frames = np.concatenate(list(decode(video, encoder.size)))
    rows = []
    for start in range(0, len(frames) - encoder.frames + 1, stride):
        clip = torch.from_numpy(frames[start : start + encoder.frames]).permute(3, 0, 1, 2)[None] / 255 * 2 - 1
        with torch.no_grad():
            rows.append(encoder(clip)[0].mean((1, 2)).numpy())
    return np.stack(rows)


def test_features_of_real_videos_are_those_of_each_clip_alone(real_data, checkpoint, tmp_path, capsys):
    folder = real_data / "ucf101" / "UCF-101" / "Basketball"
    (file,) = sorted(folder.glob("*.avi"))
    other = real_data / "ucf101" / "UCF-101" / "SoccerJuggling" / "v_SoccerJuggling_g23_c01.avi"
    out = tmp_path / "new" / "a.npz"
    assert main([*map(str, (checkpoint, folder, other, file)), "--out", str(out), "--batch", "7", *QUICK]) == 0
    found = load(out)
    assert dict(zip(*np.unique(found["video"], return_counts=True), strict=True))[str(file)] == 141 // 8
    here = found["video"] == str(file)
    assert np.allclose(found["features"][here], by_hand(checkpoint, file, 8), atol=1e-5)
    assert found["features"][here].std(0).max() > 0.01
    assert found["start_frame"][here].tolist() == list(range(0, 136, 8))
    assert found["end_seconds"][here][-1] == pytest.approx(136 / 29.97, abs=0.01)
    meta = json.loads(str(found["meta"]))
    assert (meta["videos"], meta["clips"], meta["unreadable"]) == (2, len(found["clip"]), {})
    assert meta["checkpoint"] == str(checkpoint)
    assert capsys.readouterr().out == f"{out}: 2 videos read now; {len(found['clip'])} clips of 2 videos\n"
    assert [path.name for path in out.parent.iterdir()] == ["a.npz"]


def test_batch_workers_and_neighbours_change_nothing(checkpoint, tmp_path):
    videos = make_videos(tmp_path / "v", 30, 8, 70, 9)
    options = {"one": Options(3, batch=1, workers=1), "many": Options(3, batch=64, workers=3)}
    for name, choice in options.items():
        extract(checkpoint, [tmp_path / "v"], tmp_path / f"{name}.npz", choice)
    one, many = (load(tmp_path / f"{name}.npz") for name in options)
    assert np.allclose(one["features"], many["features"], atol=1e-5)
    assert all(np.array_equal(one[name], many[name]) for name in ("video", "clip", "start_frame", "end_seconds"))
    assert list(dict.fromkeys(one["video"].tolist())) == [str(video) for video in videos]
    assert np.allclose(one["features"], np.concatenate([by_hand(checkpoint, video, 3) for video in videos]), atol=1e-5)


def test_the_same_again_is_nothing_to_do_and_other_features_are_refused(checkpoint, tmp_path, capsys):
    (video,) = make_videos(tmp_path / "v", 20)
    out = tmp_path / "a.parquet"
    command = [str(checkpoint), str(tmp_path / "v"), "--out", str(out), *QUICK]
    assert main(command) == 0
    before = out.stat().st_mtime_ns
    assert main([*command, "--batch", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"{out}: nothing to do; 2 clips of 1 videos"
    with pytest.raises(UserError, match=r"a\.parquet holds features of other inputs or settings.*--overwrite"):
        main([*command, "--stride", "4"])
    os.utime(video, ns=(0, 0))
    with pytest.raises(UserError, match="features of other inputs or settings"):
        main(command)
    assert out.stat().st_mtime_ns == before
    assert main([*command, "--stride", "4", "--overwrite"]) == 0
    assert "4 clips of 1 videos" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "v"]


def test_another_decoder_is_other_features_and_named_in_the_output(demo_root, checkpoint, tmp_path, other):
    folder = demo_root / "UCF-101" / "Bounce"
    command = [str(checkpoint), str(folder), "--out", str(tmp_path / "a.npz"), *QUICK]
    assert main([*command, "--decoder", other]) == 0
    found = load(tmp_path / "a.npz")
    assert json.loads(str(found["meta"]))["decoder"].startswith(f"{other} ")
    with pytest.raises(UserError, match="holds features of other inputs or settings"):
        main(command)
    assert main([*command, "--overwrite"]) == 0
    again = load(tmp_path / "a.npz")
    assert json.loads(str(again["meta"]))["decoder"].startswith("PyAV ")
    assert 0 < np.abs(again["features"] - found["features"]).max() < 0.2 * np.abs(found["features"]).max()


def test_a_file_of_somebody_else_is_kept(checkpoint, tmp_path):
    (video,) = make_videos(tmp_path / "v", 8)
    (tmp_path / "a.npz").write_text("precious")
    with pytest.raises(UserError, match="something that fbm extract did not make"):
        extract(checkpoint, [video], tmp_path / "a.npz", Options())
    assert (tmp_path / "a.npz").read_text() == "precious"
    assert not (tmp_path / "a.npz.parts").exists()


def test_a_single_unreadable_video_is_named_once(checkpoint, tmp_path, capsys):
    make_videos(tmp_path / "v", 20, 5)
    command = [*map(str, (checkpoint, tmp_path / "v")), "--out", str(tmp_path / "a.npz"), *QUICK]
    with pytest.raises(
        UserError, match=r"1 of 2 videos cannot be read: .*/b\.avi: too short: 5 frames, a clip has 8; "
    ):
        main(command)
    assert "b.avi" not in capsys.readouterr().out
    main([*command, "--skip-unreadable"])
    assert capsys.readouterr().out.count("b.avi") == 1


def test_unreadable_videos_are_named_and_left_out_only_when_asked(checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(decoding, "worker_main", moody)
    folder, out = tmp_path / "v", tmp_path / "a.npz"
    only_hanging_takes_time(monkeypatch, folder)
    make_videos(folder, 20, 5)
    make_video(folder / "hangs.avi", 20)
    (folder / "torn.avi").write_bytes((folder / "a.avi").read_bytes()[:300])
    (folder / "list.txt").write_text("gone.avi\n")
    command = [*map(str, (checkpoint, folder, folder / "list.txt")), "--out", str(out), *QUICK, "--timeout", "2"]
    message = "4 of 5 videos cannot be read, named above; the others are kept"
    with pytest.raises(UserError, match=message):
        main(command)
    skipped, *told = capsys.readouterr().out.splitlines()
    assert skipped.startswith(f"skipped: {folder}/list.txt: nothing that FFmpeg knows")
    assert told[0] == f"unreadable: {folder}/b.avi: too short: 5 frames, a clip has 8"
    assert told[1] == f"unreadable: {folder}/hangs.avi: no frame decoded within 2 s"
    assert told[2].startswith(f"unreadable: {folder}/torn.avi: not a video that can be opened")
    assert told[3] == f"unreadable: {folder}/gone.avi: no such file: {os.path.realpath(folder / 'gone.avi')}"
    assert not out.exists()
    (part,) = (tmp_path / "a.npz.parts").glob("*.npz")
    (folder / "hangs.avi").rename(folder / "well.avi")
    done = extract(checkpoint, [folder, folder / "list.txt"], out, Options(skip_unreadable=True, workers=1))
    assert (done.videos, done.clips, done.worked_on, len(done.unreadable)) == (2, 4, 4, 3)
    assert done.summary == (
        f"{out}: 4 videos read now; 4 clips of 2 videos, 3 unreadable left out, 1 files that are no videos skipped"
    )
    assert json.loads(str(load(out)["meta"]))["unreadable"] == done.unreadable
    assert not part.exists()


def test_nothing_readable_is_an_error_even_when_skipping(checkpoint, tmp_path):
    make_videos(tmp_path / "v", 3)
    with pytest.raises(UserError, match=r"1 of 1 videos cannot be read.*there is nothing left"):
        extract(checkpoint, [tmp_path / "v"], tmp_path / "a.npz", Options(skip_unreadable=True))
    assert [path.name for path in tmp_path.iterdir()] == ["v"]


def test_two_to_the_same_output_at_once_are_refused(checkpoint, tmp_path):
    (video,) = make_videos(tmp_path / "v", 8)
    with (
        exclusive_lock(tmp_path / "a.npz.parts", "x"),
        pytest.raises(UserError, match=r"a\.npz\.parts is in use by another fbm"),
    ):
        extract(checkpoint, [video], tmp_path / "a.npz", Options())


PAUSES = """
import signal, sys
from fbm.evaluation.extract import main, run
write, written = run.write_part, []
run.write_part = lambda file, rows: (write(file, rows), written.append(file), len(written) == 3 and signal.pause())
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_killed_and_started_again_it_goes_on(checkpoint, tmp_path, capsys):
    make_videos(tmp_path / "v", *[8 + number for number in range(12)])
    out, parts = tmp_path / "a.npz", tmp_path / "a.npz.parts"
    command = [str(checkpoint), str(tmp_path / "v"), "--out", str(out), *QUICK, "--batch", "1"]
    process = processes.Popen([processes.PYTHON, "-c", PAUSES, *command], stderr=subprocess.DEVNULL)
    wait_until(lambda: len(list(parts.glob("*.npz"))) >= 3)
    workers = [
        Path("/proc") / pid for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ]
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.npz")}
    assert len(finished) == 3
    assert len(workers) >= 2  # the server of its forks is one
    wait_until(lambda: not any(alive(worker) for worker in workers))
    (tmp_path / f".a.npz.{process.pid}.part").write_text("half")
    assert main(command) == 0
    assert capsys.readouterr().out.startswith(f"{out}: {12 - len(finished)} videos read now; ")
    whole = tmp_path / "whole.npz"
    extract(checkpoint, [tmp_path / "v"], whole, Options(workers=1))
    again, straight = load(out), load(whole)
    assert np.allclose(again["features"], straight["features"], atol=1e-5)
    assert np.array_equal(again["video"], straight["video"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "v", "whole.npz"]


def alive(process: Path) -> bool:
    with suppress(OSError):
        return process.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_a_place_that_cannot_be_written_is_named_and_what_is_done_kept(checkpoint, tmp_path, monkeypatch):
    make_videos(tmp_path / "v", 8, 9)
    files = []

    def spoiled(file, rows):
        files.append(file)
        if len(files) == 2:
            file.mkdir()
        write_part(file, rows)

    monkeypatch.setattr("fbm.evaluation.extract.run.write_part", spoiled)
    with pytest.raises(UserError, match=r"a\.npz\.parts cannot be written: Is a directory; finished videos are kept"):
        extract(checkpoint, [tmp_path / "v"], tmp_path / "a.npz", Options(workers=1))
    assert files[0].is_file()
    assert not (tmp_path / "a.npz").exists()


@pytest.mark.parametrize(
    "arguments", [["--stride", "0"], ["--out", "a.csv"], ["--part", "each", "--stride", "-1"], ["--decoder", "cv"]]
)
def test_bad_options_are_refused_before_anything_is_read(arguments):
    with pytest.raises(UserError):
        main(["nowhere.ckpt", "nowhere.avi", "--out", "a.npz", *arguments])
