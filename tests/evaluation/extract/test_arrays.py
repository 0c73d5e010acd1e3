"""`fbm.to_clips`, and what an encoder of `load_encoder` refuses."""

import numpy as np
import pytest
import torch

import fbm
from fbm.data.decoding.pyav import decode
from fbm.evaluation.extract import Options, extract
from fbm.utils.errors import UserError
from tests.evaluation.extract.test_network import trained
from tests.runs.test_checkpoints import run_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return run_folder(tmp_path_factory.mktemp("run") / "run", trained(0, 32))


@pytest.fixture
def encoder(run):
    return fbm.load_encoder(run)


def video(frames: int = 20, height: int = 48, width: int = 70) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_clips_are_windows_of_the_frames_on_the_scale_of_training(encoder):
    frames = video(20, 32, 32)
    clips = fbm.to_clips(frames, encoder)
    assert clips.shape == (2, 3, 8, 32, 32)
    assert clips.dtype == torch.float32
    expected = torch.from_numpy(frames[8:16]).permute(3, 0, 1, 2) / 255 * 2 - 1
    assert torch.allclose(clips[1], expected, atol=1e-6)
    overlapping = fbm.to_clips(frames, encoder, stride=3)
    assert len(overlapping) == 5
    assert torch.equal(overlapping[1, :, 5], clips[1, :, 0])


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, list, np.asfortranarray])
def test_arrays_tensors_and_lists_of_any_size(encoder, kind):
    frames = video()
    assert torch.equal(fbm.to_clips(kind(frames), encoder), fbm.to_clips(frames, encoder))
    assert encoder(fbm.to_clips(kind(frames), encoder)).shape == (2, *encoder.feature_shape)


def test_features_are_those_of_fbm_extract(encoder, run, demo_root, tmp_path):
    path = next(iter(sorted((demo_root / "UCF-101").rglob("*.avi"))))
    extract(run, [path], tmp_path / "out.npz", Options(pool="none", stride=5))
    frames = np.concatenate(list(decode(path, None)))
    with torch.no_grad():
        features = encoder(fbm.to_clips(frames, encoder, stride=5)).flatten(1).numpy()
    with np.load(tmp_path / "out.npz") as out:
        assert out["features"].shape == features.shape
        scale = np.abs(out["features"]).max()
        assert np.abs(out["features"] - features).max() < 0.02 * scale  # colours are converted before, not after


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (video() / 255, r"is float64, from 0 to 1; it should be uint8, 0 to 255: .*\(video \* 255\)"),
        (video().astype(np.int64), "is int64, from 0 to 255; it should be uint8"),
        (video()[0], r"of shape \(48, 70, 3\); it should be T H W 3"),
        (video()[..., :1], r"of shape \(20, 48, 70, 1\); it should be T H W 3"),
        (video().transpose(0, 3, 1, 2), r"of shape \(20, 3, 48, 70\).*numpy.moveaxis\(video, 1, -1\) moves"),
        (torch.from_numpy(video()).permute(3, 0, 1, 2), r"torch.movedim\(video, 0, -1\)"),
        (video(7), "has 7 frames, and a clip has 8"),
        (video(0), r"of shape \(0, 48, 70, 3\)"),
        ([video()[0], video()[0][:5]], "no array T H W 3"),
        ("film.mp4", "it should be T H W 3"),
    ],
)
def test_another_shape_or_scale_is_refused_in_a_line(encoder, given, said):
    with pytest.raises(UserError, match=said) as caught:
        fbm.to_clips(given, encoder)
    assert "\n" not in str(caught.value)


def test_a_stride_below_one_is_refused(encoder):
    with pytest.raises(UserError, match="stride=0"):
        fbm.to_clips(video(), encoder, stride=0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(2, 3, 8, 32, 32, dtype=torch.uint8), r"float clips in \[-1, 1\], not torch.uint8"),
        (torch.full((2, 3, 8, 32, 32), 255.0), r"in \[-1, 1\], these are from 255 to 255"),
        (torch.full((2, 3, 8, 32, 32), torch.nan), "these are from nan to nan"),
        (torch.zeros(2, 8, 32, 32, 3), r"B 3 T H W, not \(2, 8, 32, 32, 3\); fbm.to_clips"),
        (torch.zeros(2, 3, 8, 64, 64), r"not \(2, 3, 8, 64, 64\)"),
        (torch.zeros(3, 8, 32, 32), r"not \(3, 8, 32, 32\)"),
        (np.zeros((2, 3, 8, 32, 32)), "takes a tensor B 3 T H W, not ndarray"),
    ],
)
def test_a_loaded_encoder_refuses_what_is_no_clip(encoder, given, said):
    with pytest.raises(UserError, match=said):
        encoder(given)
