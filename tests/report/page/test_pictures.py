import base64
import io

import matplotlib.image
import numpy as np
from PIL import Image

from fbm.report.page.pictures import data_uri, progress, swaps
from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import find
from tests.report.fake import fake_study
from tests.report.full_study import full_study


def test_progress_shows_first_middle_and_last_of_the_lowest_seed(tmp_path):
    albums = progress(pretrainings(find([fake_study(tmp_path)])))
    assert [album.run for album in albums] == ["disentangle-None-seed0", "autoencode-None-seed0"]
    assert [shot.caption for shot in albums[0].images] == ["After epoch 1", "After epoch 8", "After epoch 12"]


def test_epochs_are_ordered_as_numbers_and_other_files_left_aside(tmp_path):
    study = fake_study(tmp_path)
    gallery = study / "disentangle-None-seed0" / "gallery"
    for name in ("epoch-1000", "epoch-best"):
        matplotlib.image.imsave(gallery / f"{name}.png", np.zeros((4, 4, 3)))
    assert progress(pretrainings(find([study])))[0].images[-1].caption == "After epoch 1001"


def test_swaps_of_the_run_that_drew_them(tmp_path):
    (album,) = swaps(pretrainings(find([full_study(tmp_path, fractions=(1.0,))])))
    assert album.run == "disentangle-None-seed0"
    assert [shot.caption.split(" swapped")[0] for shot in album.images] == ["Motion", "Background"]


def test_a_picture_keeps_its_size_and_colours_and_loses_weight(tmp_path):
    wave = np.linspace(0, 1, 300)
    pixels = np.stack(np.broadcast_arrays(wave[:, None], wave[None, :200], 0.5), axis=-1)
    pixels = np.clip(pixels + np.random.default_rng(0).normal(0, 0.02, pixels.shape), 0, 1)
    matplotlib.image.imsave(tmp_path / "a.png", pixels)
    packed = base64.b64decode(data_uri(tmp_path / "a.png").removeprefix("data:image/webp;base64,"))
    assert len(packed) < (tmp_path / "a.png").stat().st_size / 4
    seen = np.asarray(Image.open(io.BytesIO(packed)).convert("RGB")) / 255
    assert seen.shape == (300, 200, 3)
    assert np.abs(seen - pixels).mean() < 0.03
