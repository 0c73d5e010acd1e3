"""Runs with `data.frame_interval=2`, applied to videos: they see every other frame, as in training."""

from pathlib import Path

import numpy as np
import pytest
import torch

import fbm
from fbm.data.decoding.pyav import decode
from fbm.evaluation.trained_run import TrainedRun
from tests.evaluation.conftest import SMALL, trained
from tests.tiny import fbm as command

CLIP, SPAN, CHUNK = 8, 15, 32


@pytest.fixture(scope="module")
def sparse(demo_store, tmp_path_factory) -> dict[str, TrainedRun]:
    more = (f"data.clip_frames={CLIP}", "data.frame_interval=2")
    return trained(tmp_path_factory.mktemp("sparse"), demo_store, *more)


@pytest.fixture(scope="module")
def frames(videos) -> np.ndarray:
    return np.concatenate(list(decode(Path(next(iter(videos))), 32)))


def test_predictions_are_those_of_the_test(sparse, videos):
    run = sparse["classify"]
    right = [next(iter(run.predict(video))) == action for video, action in videos.items()]
    assert np.mean(right) == pytest.approx(run.metrics["test/video_top1"])


def test_the_middle_of_a_chunk_is_predicted_from_every_other_frame(sparse, frames):
    run, chunk = sparse["classify"], frames[:CHUNK]
    first = (CHUNK - SPAN) // 2
    unseen = np.ones(CHUNK, bool)
    unseen[first : first + SPAN : 2] = False
    changed = chunk.copy()
    changed[unseen] = 255
    assert run.predict(changed) == run.predict(chunk)
    changed[first + 2] = 255
    assert run.predict(changed) != run.predict(chunk)


def test_features_are_of_every_other_frame(sparse, videos, frames, tmp_path):
    run, video = sparse["disentangle"], next(iter(videos))
    assert command("extract", str(run.path), video, "--out", str(tmp_path / "all.npz"), "--device", "cpu") == 0
    extracted = np.load(tmp_path / "all.npz")
    assert extracted["start_frame"].tolist() == list(range(0, len(frames) - SPAN + 1, SPAN))
    assert (extracted["end_frame"] - extracted["start_frame"]).tolist() == [SPAN] * len(extracted["start_frame"])
    assert np.array_equal(run.features(video), extracted["features"])
    clips = fbm.to_clips(frames, run.encoder)
    by_hand = torch.from_numpy(frames[SPAN : 2 * SPAN : 2].copy()).permute(3, 0, 1, 2) / 255 * 2 - 1
    torch.testing.assert_close(clips[1], by_hand)
    with torch.no_grad():
        assert np.allclose(run.features(frames), run.encoder(clips).mean((2, 3)), atol=1e-5)


def test_reconstructions_stand_beside_the_frames_that_were_seen(sparse, frames):
    made = sparse["disentangle"].reconstruct(frames, stride=5)
    assert made.starts.tolist() == list(range(0, len(frames) - SPAN + 1, 5))
    assert np.array_equal(made.frames[2], frames[10 : 10 + SPAN : 2])


def test_another_interval_than_the_pretrainings_is_said(sparse, demo_store, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    start = ("init=ours", f"init.checkpoint={sparse['disentangle'].path}", f"data.clip_frames={CLIP}")
    fbm.train("task=classify", f"data.store={demo_store}", *SMALL, *start)
    assert "trained with data.frame_interval=2, this run has data.frame_interval=1" in capfd.readouterr().out


def test_it_is_analysed_and_exported(sparse, tmp_path):
    run = sparse["disentangle"]
    assert command("analyse", str(run.path), "--resamples", "20") == 0
    assert command("analyse", str(sparse["classify"].path), "--bias", "--resamples", "20") == 0
    assert command("export", str(run.path), str(tmp_path / "export")) == 0
    assert (
        "8 frames of 32 x 32 pixels, RGB in [-1, 1], one of 2 of the video"
        in (tmp_path / "export/README.md").read_text()
    )
    assert fbm.load_encoder(tmp_path / "export").frame_interval == 2
