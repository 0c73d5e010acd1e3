"""`fbm.train`, `fbm.load`, `fbm predict`: a tiny classification and a pretraining, on videos of the demo data."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import fbm
from fbm.data.decoding.pyav import decode
from fbm.evaluation.predict import main
from fbm.utils.errors import UserError
from tests.evaluation.conftest import SMALL
from tests.evaluation.extract.videos import make_video
from tests.tiny import fbm as command
from tests.tiny import only_error

QUICK = ("--device", "cpu", "--workers", "1")


def test_training_here_is_the_commands_run(runs, demo_store, tmp_path, monkeypatch, capsys):
    run = runs["classify"]
    assert run.path.name.startswith("classify-random-seed0-data.batch_size-8")
    assert run.metrics == run.summary.metrics
    monkeypatch.chdir(run.path.parents[2])
    assert command("train", "task=classify", f"data.store={demo_store}", *SMALL) == 0
    assert "is finished already" in capsys.readouterr().out
    assert repr(run) == f"TrainedRun('{run.path}')"


def test_what_cannot_be_trained_here_is_a_user_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for overrides, said in (
        (("task=clasify",), "no such option 'task/clasify'"),
        (("sed=1",), "no such setting 'sed'; did you mean 'seed'"),
        (("seed=0,1",), "several values are a sweep"),
        (("-m", "seed=0,1"), "settings of one run"),
        (("logger=false",), "a group takes an option"),
        (("task=classify", "data.store=nowhere"), "nowhere"),
        ((3,), "each setting is a text"),
    ):
        with pytest.raises(UserError, match=said):
            fbm.train(*overrides)
    with pytest.raises(UserError, match="no such folder"):
        fbm.train("seed=0", config_dir="nowhere")
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_importing_fbm_loads_nothing_heavy():
    heavy = "torch numpy hydra wandb rich"
    code = f"import sys, fbm; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_predictions_are_those_of_the_test(runs, videos):
    run = runs["classify"]
    predicted = {video: run.predict(video) for video in videos}
    for probabilities in predicted.values():
        assert set(probabilities) == set(run.classes)
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    right = [next(iter(predicted[video])) == action for video, action in videos.items()]
    assert np.mean(right) == pytest.approx(run.metrics["test/video_top1"])
    confusion = np.zeros((6, 6), int)
    for video, action in videos.items():
        confusion[run.classes.index(action), run.classes.index(next(iter(predicted[video])))] += 1
    assert confusion.tolist() == run.summary.video_confusion


def test_frames_are_predicted_as_their_file(runs, videos):
    video = next(iter(videos))
    frames = np.concatenate(list(decode(Path(video), None)))
    for given in (frames, torch.from_numpy(frames), list(frames)):
        assert runs["classify"].predict(given) == pytest.approx(runs["classify"].predict(video), abs=1e-3)


def test_the_probabilities_are_the_mean_over_chunks_middles(runs, videos):
    run = runs["classify"]
    one, other = (np.concatenate(list(decode(Path(video), 32)))[:32] for video in list(videos)[:2])
    alone = [run.predict(frames) for frames in (one, other)]
    both = run.predict(np.concatenate([one, other, one[:20]]))  # the rest fills no chunk
    assert both == pytest.approx({name: (alone[0][name] + alone[1][name]) / 2 for name in run.classes}, abs=1e-6)
    changed = one.copy()
    changed[:8], changed[24:] = 0, 255  # outside the middle clip
    assert run.predict(changed) == alone[0]


def test_features_are_those_of_extract(runs, videos, tmp_path):
    run, video = runs["disentangle"], next(iter(videos))
    for options, part, stride in (((), "all", None), (("--part", "motion", "--stride", "5"), "motion", 5)):
        out = tmp_path / f"{part}.npz"
        assert command("extract", str(run.path), video, "--out", str(out), *options, *QUICK) == 0
        found = run.features(video, part=part, stride=stride)
        assert np.array_equal(found, np.load(out)["features"])
    clips = fbm.to_clips(np.concatenate(list(decode(Path(video), None))), fbm.load_encoder(run.path))
    with torch.no_grad():
        assert np.allclose(run.features(video, pool="none"), run.encoder(clips).flatten(1).numpy(), atol=1e-3)


def test_reconstructions_stand_beside_the_clips_frames(runs, videos):
    run, video = runs["disentangle"], next(iter(videos))
    made = run.reconstruct(video)
    frames = np.concatenate(list(decode(Path(video), 32)))
    assert made.starts.tolist() == [0, 16]
    assert np.array_equal(made.frames[1], frames[16:32])
    assert {picture.shape for picture in made[:3]} == {(2, 32, 32, 3)}
    assert {picture.dtype for picture in made[:4]} == {np.dtype(np.uint8)}
    task = run.task(torch.nn.Module, "")
    clips = torch.from_numpy(frames[16:32])[None].permute(0, 4, 1, 2, 3) / 255 * 2 - 1
    with torch.no_grad():
        expected = task.network(clips).reconstruction
    for picture, tensor in zip(made[:3], expected, strict=True):
        assert np.abs(picture[1] - ((tensor[0].permute(1, 2, 0).numpy() + 1) * 127.5)).max() <= 0.51
    assert len(run.reconstruct(video, stride=3).starts) == (len(frames) - 16) // 3 + 1


def test_a_run_is_not_asked_for_what_it_cannot_do(runs, videos, tmp_path):
    video = next(iter(videos))
    classify, disentangle = runs["classify"], runs["disentangle"]
    for call, said in (
        (lambda: disentangle.predict(video), "is of task=disentangle: it knows no classes"),
        (lambda: classify.reconstruct(video), "is of task=classify: it makes no foregrounds"),
        (lambda: classify.features(video, part="motion"), "part=motion needs a checkpoint of task=disentangle"),
        (lambda: disentangle.features(video, part="each"), "one part at a time"),
        (lambda: disentangle.features(video, stride=0), "stride=0"),
        (lambda: disentangle.reconstruct(video, stride=0), "stride=0"),
        (lambda: classify.predict(tmp_path / "no.avi"), "no.avi: "),
        (lambda: classify.predict(np.zeros((20, 8, 8, 3), np.uint8)), "the video: too short: 20 frames, a clip has 32"),
        (lambda: classify.predict(np.zeros((40, 8, 8, 3))), "the video is float64"),
        (lambda: fbm.load(tmp_path), "holds no summary.json"),
        (lambda: fbm.load(tmp_path / "none"), "does not exist"),
        (lambda: fbm.load(video), "is a file"),
    ):
        with pytest.raises(UserError, match=said):
            call()


def test_the_command_predicts_many_and_writes_csv(runs, videos, tmp_path, capsys):
    run, out = runs["classify"], tmp_path / "new" / "predicted.csv"
    assert main([str(run.path), *videos, "--top", "2", "--csv", str(out), *QUICK]) == 0
    with out.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["video"] for row in rows] == [video for video in videos for _ in range(2)]
    for video in videos:
        expected = list(run.predict(video).items())[:2]
        mine = [row for row in rows if row["video"] == video]
        assert [(row["class"], row["rank"], row["clips"]) for row in mine] == [
            (name, str(rank), "1") for rank, (name, _) in enumerate(expected, 1)
        ]
        assert [float(row["probability"]) for row in mine] == pytest.approx([p for _, p in expected], abs=2e-6)
    assert capsys.readouterr().out == f"{out}: 6 videos\n"


def test_unreadable_videos_are_named_and_the_others_predicted(runs, videos, tmp_path, capsys):
    run, video = str(runs["classify"].path), next(iter(videos))
    short = make_video(tmp_path / "short.avi", 20)
    (tmp_path / "broken.avi").write_text("no video")
    given = (run, str(short), video, str(tmp_path / "broken.avi"), *QUICK)
    assert command("predict", *given) == 1
    said = capsys.readouterr()
    assert "class 3" in said.out
    assert video.split("/")[-1] in said.out
    assert f"unreadable: {short}: too short: 20 frames, a clip has 32" in said.out
    line = next(line for line in said.err.splitlines() if line.startswith("fbm: error"))
    assert "2 of 3 videos cannot be read, named above; the others are predicted" in only_error(line)
    assert command("predict", *given, "--skip-unreadable") == 0
    capsys.readouterr()
    assert command("predict", run, str(short), "--skip-unreadable", *QUICK) == 1
    said = capsys.readouterr()
    assert f"1 of 1 videos cannot be read: {short}: too short: 20 frames, a clip has 32; there is nothing" in said.err
    assert "unreadable" not in said.out


def test_bad_options_are_one_line(runs, videos, tmp_path):
    run, video = str(runs["classify"].path), next(iter(videos))
    for words, said in (
        ((run, video, "--top", "0"), "--top 0: it should be"),
        ((run, video, "--csv", str(tmp_path)), "is a folder; choose another --csv"),
        ((run, video, "--csv", f"{video}/rows.csv"), "is no folder to write to; choose another --csv"),
        ((run, str(tmp_path / "none")), "no such file or folder"),
        ((str(runs["disentangle"].path), video), "it knows no classes"),
        ((run, video, "--decoder", "ffmpeg"), "invalid choice"),
    ):
        with pytest.raises(UserError, match=said):
            main([*words, *QUICK])
