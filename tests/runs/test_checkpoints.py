import doctest
import os
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

import fbm
from fbm.models.encoder import C3DEncoder
from fbm.runs.checkpoints import initialise, read_checkpoint
from fbm.runs.locate import find_checkpoint
from fbm.utils.errors import UserError


class Command:
    """What a pickle that runs something looks like."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


NODE = {"_target_": "fbm.models.encoder.C3DEncoder", "width": 2, "frames": 8, "size": 32}


def carried(task: str = "disentangle", encoder: Any = NODE) -> dict[str, Any]:
    config = {"encoder": encoder, "seed": 0}
    return {"task": task, "fingerprints": {"config": "abc"}, "metrics": {}, "epoch": 0, "config": config}


def save(path: Path, encoder: torch.nn.Module, task: str = "disentangle", **more: Any) -> Path:
    weights = {f"network.encoder.{key}": value for key, value in encoder.state_dict().items()}
    content = {"state_dict": {**weights, "network.decoder.weight": torch.ones(1)}, "fbm": carried(task)}
    torch.save({**content, **more}, path)
    return path


def init(checkpoint: Path | str | None, name: str = "ours", task: str | None = "disentangle") -> DictConfig:
    return OmegaConf.create({"name": name, "task": task, "checkpoint": None if checkpoint is None else str(checkpoint)})


def equal(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def pretrained() -> C3DEncoder:
    torch.manual_seed(1)
    encoder = C3DEncoder(2, 8, 32)
    encoder(torch.randn(2, 3, 8, 32, 32))  # batch norm has seen something
    return encoder


@pytest.fixture
def fresh() -> C3DEncoder:
    torch.manual_seed(2)
    return C3DEncoder(2, 8, 32)


def test_an_encoder_is_taken_out_whole(tmp_path, pretrained, fresh, capsys):
    assert not equal(pretrained, fresh)
    loaded = initialise(fresh, init(save(tmp_path / "a.ckpt", pretrained)))
    assert equal(pretrained, fresh)
    assert loaded.counts() == {"matched": len(fresh.state_dict()), "missing": 0, "unexpected": 0}
    assert loaded.fingerprint == "abc"
    assert "54 weights matched, 0 missing, 0 unexpected" in capsys.readouterr().out


def test_a_random_start_takes_no_checkpoint(fresh):
    with pytest.raises(UserError, match=r"init=random starts from no weights: leave out init.checkpoint=nowhere"):
        initialise(fresh, init("nowhere", "random", None))


def test_a_random_start_reads_nothing(fresh):
    before = {key: value.clone() for key, value in fresh.state_dict().items()}
    assert initialise(fresh, init(None, "random", None)).counts() == {
        "matched": 0,
        "missing": 0,
        "unexpected": 0,
    }
    assert all(torch.equal(value, before[key]) for key, value in fresh.state_dict().items())


def test_a_run_folder_stands_for_its_best_checkpoint(tmp_path, pretrained):
    (tmp_path / "checkpoints").mkdir()
    best = save(tmp_path / "checkpoints" / "best.ckpt", pretrained)
    assert find_checkpoint(best) == best
    with pytest.raises(UserError, match="no finished run"):
        find_checkpoint(tmp_path)
    (tmp_path / "summary.json").write_text("{}")
    assert find_checkpoint(tmp_path) == best
    assert read_checkpoint(tmp_path)["fbm"]["task"] == "disentangle"


def test_what_does_not_match_is_counted(tmp_path, pretrained, fresh, capsys):
    weights = {f"network.encoder.{key}": value for key, value in pretrained.state_dict().items()}
    del weights["network.encoder.mapping.1.bias"]
    weights["network.encoder.extra"] = torch.ones(1)
    torch.save({"state_dict": weights, "fbm": carried()}, tmp_path / "a.ckpt")
    loaded = initialise(fresh, init(tmp_path / "a.ckpt"))
    assert loaded.missing == ("mapping.1.bias",)
    assert loaded.unexpected == ("extra",)
    assert "53 weights matched, 1 missing, 1 unexpected" in capsys.readouterr().out


def test_biases_of_an_earlier_fbm_are_taken_over_by_the_running_means(tmp_path, pretrained, fresh, capsys):
    """Convolutions had them in front of batch norms, where they only shift what is normalised."""
    weights = {f"network.encoder.{key}": value for key, value in pretrained.state_dict().items()}
    for layer in ("convolutions.0.0", "mapping.0"):
        mean = f"network.encoder.{layer[:-1]}1.running_mean"
        weights |= {f"network.encoder.{layer}.bias": torch.full_like(weights[mean], 0.5), mean: weights[mean] + 0.5}
    torch.save({"state_dict": weights, "fbm": carried()}, tmp_path / "a.ckpt")
    initialise(fresh, init(tmp_path / "a.ckpt"))
    assert "54 weights matched, 0 missing, 0 unexpected" in capsys.readouterr().out
    clips = torch.rand(2, 3, 8, 32, 32) * 2 - 1
    expected = pretrained.eval()(clips)
    torch.testing.assert_close(fresh.eval()(clips), expected)
    torch.testing.assert_close(fbm.load_encoder(tmp_path / "a.ckpt")(clips), expected)


def test_nothing_matched_is_an_error(tmp_path, fresh):
    path = save(tmp_path / "a.ckpt", torch.nn.Linear(2, 2))
    with pytest.raises(UserError, match="no weight of the encoder"):
        initialise(fresh, init(path))


@pytest.mark.parametrize(
    ("there", "here", "layer"),
    [
        ({"norm": "group"}, {}, "convolutions.0.1"),
        ({}, {"norm": "group"}, "convolutions.0.1"),
        ({}, {"mapping_norm": "group"}, "mapping.1"),
    ],
)
def test_another_norm_is_refused_and_nothing_is_half_loaded(tmp_path, there, here, layer):
    """Its weights fit by name and shape."""
    torch.manual_seed(1)
    path = save(tmp_path / "a.ckpt", C3DEncoder(2, 8, 32, **there))
    encoder = C3DEncoder(2, 8, 32, **here)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    with pytest.raises(UserError, match=re.escape(layer) + r".*encoder\.norm and encoder\.mapping_norm"):
        initialise(encoder, init(path))
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


@pytest.mark.parametrize(("width", "frames"), [(4, 8), (2, 16)])
def test_another_encoder_is_refused_and_nothing_is_half_loaded(tmp_path, fresh, width, frames):
    path = save(tmp_path / "a.ckpt", C3DEncoder(width, frames, 32))
    before = {key: value.clone() for key, value in fresh.state_dict().items()}
    with pytest.raises(UserError, match=r"a\.ckpt is of another encoder"):
        initialise(fresh, init(path))
    assert all(torch.equal(value, before[key]) for key, value in fresh.state_dict().items())


def test_a_checkpoint_of_another_task_is_refused(tmp_path, pretrained, fresh):
    path = save(tmp_path / "a.ckpt", pretrained, task="autoencode")
    with pytest.raises(UserError, match=r"needs a checkpoint of task=disentangle, .* is of autoencode"):
        initialise(fresh, init(path))


def test_no_checkpoint_named(fresh):
    with pytest.raises(UserError, match=r"init=ours needs .* task=disentangle run: init\.checkpoint=PATH"):
        initialise(fresh, init(None))


def test_no_checkpoint_there(tmp_path, fresh):
    with pytest.raises(UserError, match="no such checkpoint"):
        initialise(fresh, init(tmp_path / "nowhere.ckpt"))
    with pytest.raises(UserError, match="no finished run"):
        initialise(fresh, init(tmp_path))


@pytest.mark.parametrize("form", ["torch", "pickle", "old pickle"])
def test_a_pickle_that_would_run_something_is_refused_and_does_not(tmp_path, form, recwarn):
    trap, path = Command(tmp_path / "ran"), tmp_path / "a.ckpt"
    if form == "torch":
        torch.save({"state_dict": {}, "fbm": trap}, path)
    else:
        path.write_bytes(pickle.dumps({"state_dict": {}, "fbm": trap}, protocol=5 if form == "pickle" else 2))
    with pytest.raises(UserError, match=r"a\.ckpt refused: it holds more than weights"):
        read_checkpoint(path)
    assert not (tmp_path / "ran").exists()
    assert not recwarn.list
    pickle.loads(pickle.dumps(trap))
    assert (tmp_path / "ran").exists()  # the trap works


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a checkpoint",
        b"\x80",
        b"\x80\x02.",
        b"PK\x03\x04",
        bytes(range(256)) * 8,
        b"\x89PNG\r\n\x1a\n",
        b"(",
        b"}q\x00.",
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.ckpt") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_cut_in_half_is_named(tmp_path, pretrained):
    path = save(tmp_path / "a.ckpt", pretrained)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"a\.ckpt"):
        read_checkpoint(path)


def test_a_checkpoint_in_which_a_bit_has_changed_is_named(tmp_path, pretrained):
    path = save(tmp_path / "a.ckpt", pretrained)
    content = bytearray(path.read_bytes())
    weight = pretrained.state_dict()["mapping.0.weight"]
    content[content.index(bytes(weight.untyped_storage())) + 1] ^= 1
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)  # torch sees nothing
    with pytest.raises(UserError, match=r"a\.ckpt is damaged: its part .* does not fit its checksum"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [[1, 2], {"state_dict": {}}, {"fbm": carried()}, {"fbm": {}, "state_dict": {}}, {"fbm": 1, "state_dict": {}}],
)
def test_a_checkpoint_that_fbm_did_not_make_is_named(tmp_path, content):
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not a checkpoint that fbm made"):
        read_checkpoint(tmp_path / "a.ckpt")


def run_folder(path: Path, encoder: C3DEncoder) -> Path:
    """A finished run whose checkpoint carries the config of this encoder."""
    node = {**NODE, "width": encoder.width, "frames": encoder.frames, "size": encoder.size}
    (path / "checkpoints").mkdir(parents=True)
    save(path / "checkpoints" / "best.ckpt", encoder, fbm=carried(encoder=node))
    (path / "summary.json").write_text("{}")
    return path


def test_a_loaded_encoder_gives_the_features_of_the_trained_one(tmp_path, pretrained):
    loaded = fbm.load_encoder(run_folder(tmp_path / "run", pretrained))
    assert not loaded.training
    assert isinstance(loaded, C3DEncoder)
    assert (loaded.width, loaded.frames, loaded.size) == (2, 8, 32)
    clip = torch.rand(2, 3, 8, 32, 32) * 2 - 1
    with torch.no_grad():
        assert torch.equal(loaded(clip), pretrained.eval()(clip))
    assert equal(fbm.load_encoder(str(tmp_path / "run" / "checkpoints" / "best.ckpt")), pretrained)


def test_an_encoder_is_put_where_it_is_asked_for(tmp_path, pretrained):
    loaded = fbm.load_encoder(run_folder(tmp_path / "run", pretrained), map_location="meta")
    assert {value.device.type for value in loaded.state_dict().values()} == {"meta"}


def test_the_example_of_load_encoder_runs(tmp_path, monkeypatch):
    run_folder(tmp_path / "outputs" / "demo" / "disentangle-random-seed0", C3DEncoder(8, 16, 64))
    monkeypatch.chdir(tmp_path)
    (example,) = doctest.DocTestFinder().find(fbm.load_encoder, globs={})
    assert len(example.examples) >= 6
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", r"a\.ckpt does not hold its encoder's weights: Missing key.*mapping\.1\.bias"),
        ("unexpected", r"a\.ckpt does not hold its encoder's weights: Unexpected key.*extra"),
        ("shape", r"a\.ckpt is of another encoder"),
        ("all", r"no weight of the encoder is in .*a\.ckpt"),
    ],
)
def test_weights_that_do_not_match_strictly_are_refused(tmp_path, pretrained, change, message):
    weights = {f"network.encoder.{key}": value for key, value in pretrained.state_dict().items()}
    if change in ("missing", "shape"):
        bias = weights.pop("network.encoder.mapping.1.bias")
        weights |= {"network.encoder.mapping.1.bias": bias[1:]} if change == "shape" else {}
    elif change == "unexpected":
        weights["network.encoder.extra"] = torch.ones(1)
    else:
        weights = {"network.decoder.weight": torch.ones(1)}
    torch.save({"state_dict": weights, "fbm": carried()}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match=message) as caught:
        fbm.load_encoder(tmp_path / "a.ckpt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (None, "carries no config of its encoder"),
        ({**NODE, "width": {"_target_": "os.mkdir"}}, "carries no config of its encoder"),
        ({**NODE, "_target_": "nowhere.Encoder"}, "cannot be made: .*nowhere.Encoder cannot be imported"),
        ({**NODE, "depth": 3}, "cannot be made: .*depth"),
        ({"width": 2}, "cannot be made: there is no _target_"),
        ({"_target_": "fbm.models.layers.GROUPS"}, "cannot be made: "),
        ({**NODE, "frames": 9}, "cannot be made: .*frames 9"),
    ],
)
def test_an_encoder_that_cannot_be_made_is_named(tmp_path, pretrained, node, message):
    path = save(tmp_path / "a.ckpt", pretrained, fbm=carried(encoder=node))
    with pytest.raises(UserError, match=message):
        fbm.load_encoder(path)


@pytest.mark.parametrize("more", [{}, {"_partial_": True}])
def test_a_config_that_names_any_function_does_not_get_it_called(tmp_path, pretrained, more):
    node = {"_target_": "os.mkdir", "path": str(tmp_path / "ran"), **more}
    path = save(tmp_path / "a.ckpt", pretrained, fbm=carried(encoder=node))
    with pytest.raises(UserError, match=r"os\.mkdir is no fbm\.models\.encoder\.Encoder"):
        fbm.load_encoder(path)
    assert not (tmp_path / "ran").exists()


def test_a_number_is_a_checkpoints_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no such checkpoint: 2024"):
        initialise(C3DEncoder(2, 8, 32), OmegaConf.create({**init(None), "checkpoint": 2024}))
