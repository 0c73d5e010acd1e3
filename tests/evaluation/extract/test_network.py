import json
from pathlib import Path

import numpy as np
import pytest
import torch

import fbm
from fbm.evaluation.extract.network import load_network
from fbm.evaluation.extract.options import Options
from fbm.models.disentangler import split_features
from fbm.models.encoder import C3DEncoder
from fbm.utils.errors import UserError
from tests.runs.test_checkpoints import NODE, carried, run_folder, save


def trained(seed: int, size: int = 64) -> C3DEncoder:
    """An encoder whose batch norm has seen clips, so that its features differ between them."""
    torch.manual_seed(seed)
    encoder = C3DEncoder(2, 8, size)
    norms = [layer for layer in encoder.modules() if isinstance(layer, torch.nn.BatchNorm3d)]
    for norm in norms:
        norm.momentum = 1.0
    encoder(torch.randn(8, 3, 8, size, size) / 2)
    return encoder


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    return run_folder(tmp_path / "run", trained(0))


CLIPS = list(np.random.default_rng(0).integers(0, 255, (5, 8, 64, 64, 3), dtype=np.uint8))


def maps(checkpoint):
    """What anybody would compute with `fbm.load_encoder`."""
    video = torch.from_numpy(np.stack(CLIPS)).permute(0, 4, 1, 2, 3) / 255 * 2 - 1
    with torch.no_grad():
        return fbm.load_encoder(checkpoint)(video)


def test_pooled_features_are_means_over_positions(checkpoint):
    network = load_network(checkpoint, Options(device="cpu"))
    assert network.columns == {"features": slice(0, 16)}
    rows = network.features(CLIPS)
    assert rows.dtype == np.float32
    assert np.allclose(rows, maps(checkpoint).mean((2, 3)), atol=1e-5)


@pytest.mark.parametrize("pool", ["mean", "none"])
@pytest.mark.parametrize("part", ["motion", "foreground", "background"])
def test_a_part_is_the_one_that_split_cuts_out(checkpoint, part, pool):
    network = load_network(checkpoint, Options(part=part, pool=pool, device="cpu"))
    expected = getattr(split_features(maps(checkpoint)), part)
    expected = expected.mean((2, 3)) if pool == "mean" else expected.flatten(1)
    (place,) = network.columns.values()
    assert np.allclose(network.features(CLIPS)[:, place], expected, atol=1e-5)


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_each_part_has_its_own_column(checkpoint, pool):
    network = load_network(checkpoint, Options(part="each", pool=pool, device="cpu"))
    rows = network.features(CLIPS)
    for name, expected in split_features(maps(checkpoint))._asdict().items():
        flat = expected.mean((2, 3)) if pool == "mean" else expected.flatten(1)
        assert np.allclose(rows[:, network.columns[name]], flat, atol=1e-5)
    assert network.about["parts"] == {"motion": [10, 16], "foreground": [5, 10], "background": [0, 5]}


def test_features_do_not_depend_on_their_batch(checkpoint):
    network = load_network(checkpoint, Options(device="cpu"))
    alone = np.concatenate([network.features([clip]) for clip in CLIPS])
    assert np.allclose(network.features(CLIPS), alone, atol=1e-5)
    assert alone.std(0).max() > 0.05


def test_the_fingerprint_is_of_what_decides_the_rows(checkpoint, tmp_path):
    def fingerprint(place: Path = checkpoint, **options) -> str:
        return load_network(place, Options(**options)).fingerprint

    same = fingerprint()
    assert fingerprint(checkpoint / "checkpoints" / "best.ckpt", batch=3, workers=1, stride=8) == same
    others = [fingerprint(stride=4), fingerprint(part="motion"), fingerprint(pool="none")]
    others.append(fingerprint(run_folder(tmp_path / "other", trained(1))))
    assert len({same, *others}) == 5
    assert json.dumps(load_network(checkpoint, Options()).about)


def test_parts_of_another_task_are_refused(tmp_path):
    path = save(tmp_path / "a.ckpt", C3DEncoder(2, 8, 32), fbm=carried("classify", NODE))
    assert load_network(path, Options()).about["parts"] == {}
    with pytest.raises(
        UserError, match=r"part=motion needs a checkpoint of task=disentangle, .*a\.ckpt is of classify"
    ):
        load_network(path, Options(part="motion"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_not_silently_replaced(checkpoint):
    with pytest.raises(UserError, match="device=cuda: torch finds no GPU"):
        load_network(checkpoint, Options(device="cuda"))
    assert load_network(checkpoint, Options(device="auto")).device.type == "cpu"
