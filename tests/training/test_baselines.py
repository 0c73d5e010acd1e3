"""A contrastive baseline from training to what uses it, with the settings that change what an encoder sees."""

from pathlib import Path

import numpy as np
import pytest
import torch

import fbm as package
from fbm.config.compose import compose
from fbm.config.instantiate import check_run
from fbm.evaluation.extract.network import load_network
from fbm.evaluation.extract.options import Options
from fbm.runs.checkpoints import read_checkpoint
from fbm.training.components import build_components
from fbm.utils.errors import UserError
from tests.evaluation.extract.videos import make_video
from tests.tiny import fbm, make_store, settings

pytestmark = pytest.mark.slow
PLAIN = (
    *("encoder=r3d18", "encoder.width=4", "encoder.norm=group", "encoder.size=16"),
    *("input=residual", "augment=crop", "callbacks.gallery=null"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a store, and a contrastive run on the middle 16 of its 32 pixels; look, do not touch."""
    top: Path = tmp_path_factory.mktemp("baselines")
    make_store(top / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        more = ("callbacks=ema", "schedule=warmup_cosine", "optim=adamw", "base_batch=4", "name=pre", "test=true")
        assert fbm("train", *settings(top / "store", "task=contrast", *PLAIN, *more)) == 0
    return top


@pytest.fixture
def run(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    return Path("outputs/demo/pre")


def test_classification_starts_from_it(run, place, capfd):
    start = ("task=classify", "init=contrast", f"init.checkpoint={run}", "name=class", "test=true")
    assert fbm("train", *settings(place / "store", *start, *PLAIN)) == 0
    assert "weights matched, 0 missing, 0 unexpected" in capfd.readouterr().out
    assert fbm("report", "outputs/demo") == 0
    assert "contrast" in Path("outputs/demo/report/table1.md").read_text()


def test_another_input_than_the_pretrainings_is_said(run, place, capfd):
    start = ("task=classify", "init=contrast", f"init.checkpoint={run}")
    build_components(compose(settings(place / "store", *start, *PLAIN, "input=frames")), "0")
    assert "it was trained with input=residual, this run has input=frames" in capfd.readouterr().out


def test_it_is_analysed(run):
    assert fbm("analyse", str(run), "--resamples", "20") == 0
    assert (run / "probes.json").is_file()


def test_features_are_of_the_middle_of_frames_and_of_their_differences(run, place):
    network = load_network(run, Options(device="cpu"))
    assert (network.about["size"], network.about["frame_size"], network.about["input"]) == (16, 32, "residual")
    clip = np.random.default_rng(0).integers(0, 255, (16, 32, 32, 3), dtype=np.uint8)
    rows = network.features([clip])
    encoder = package.load_encoder(run)
    middle = torch.from_numpy(clip[:, 8:24, 8:24]).permute(3, 0, 1, 2)[None] / 255 * 2 - 1
    with torch.no_grad():
        assert np.allclose(rows, encoder(middle).mean((2, 3)), atol=1e-5)
        assert np.allclose(rows, encoder(package.to_clips(clip, encoder)).mean((2, 3)), atol=1e-5)
        torch.testing.assert_close(encoder(middle / 2 + 0.25), encoder(middle / 2), atol=1e-5, rtol=1e-4)
    edges = clip.copy()
    edges[:, :8] = 0
    assert np.array_equal(network.features([edges]), rows)


def test_videos_are_resized_to_the_frames_it_was_trained_with(run, tmp_path):
    video = make_video(tmp_path / "videos" / "a.avi", 20, size=32)
    assert fbm("extract", str(run), str(video), "--out", str(tmp_path / "out.npz"), "--workers", "1") == 0
    assert np.load(tmp_path / "out.npz")["features"].shape == (1, 32)


def test_best_holds_the_average(run):
    best, last = (read_checkpoint(run / "checkpoints" / f"{name}.ckpt") for name in ("best", "last"))
    assert all(torch.equal(best["state_dict"][name], value) for name, value in last["state_dict"].items())
    current = last["current_model_state"]
    assert any(not torch.equal(best["state_dict"][name], value) for name, value in current.items())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("augment=crop",), "augment crops encoder.size=32 pixels without resizing, which is all of data.size"),
        (("encoder=r3d18", "encoder.size=16"), "or augment=crop, which takes clips out of larger frames"),
        (("encoder.size=64", "augment=crop"), "has size=64, but its clips have data.size=32: they must be equal$"),
        (("input=residual",), "input=residual: frames cannot be reconstructed from their differences"),
        (("input=residual", "task=autoencode"), "cannot be reconstructed"),
        (("augment=field", "augment.hue=0.7"), r"augment\.hue=0\.7 must be from 0 to 0\.5"),
        (("task=contrast", "task.temperature=0"), "temperature=0 must be above 0"),
        (("task=order", "task.clips=9"), "clips=9 must be from 2 to 5"),
        (("task=order", "data.chunk_frames=17"), "3 different windows .* need videos of 18 frames"),
        (("schedule=warmup_cosine", "schedule.warmup=1"), r"schedule\.warmup=1"),
        (("callbacks=ema", "callbacks.ema.decay=1"), r"callbacks\.ema\.decay=1 must be"),
    ],
)
def test_what_does_not_fit_is_refused(place, monkeypatch, more, said):
    monkeypatch.chdir(place)
    with pytest.raises(UserError, match=said):
        build_components(compose(settings(place / "store", *more)), "0")


@pytest.mark.parametrize("setting", ["input=grey", "base_batch=0", "augment=field augment.blur=often"])
def test_values_of_a_wrong_kind_are_refused(place, setting):
    with pytest.raises(UserError, match=f"{setting.split()[-1].split('=')[0]}=.*: it should be"):
        check_run(compose(settings(place / "store", *setting.split())))
