"""`fbm export`: what it writes is read back as the run, here and from the Hub."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf

import fbm
from fbm.evaluation.export import main
from fbm.evaluation.export.plain import publishable
from fbm.runs.checkpoints import initialise, read_checkpoint
from fbm.runs.exported import local_path
from fbm.utils.errors import UserError
from tests.tiny import fbm as command

pytest.importorskip("safetensors", reason="the extra `export` is not installed")
pytestmark = pytest.mark.slow
NEEDS_ONNX = "the extra `onnx` is not installed"


@pytest.fixture(scope="module")
def exported(runs, tmp_path_factory) -> dict[str, Path]:
    """Exports of both runs; look, do not touch."""
    folder = tmp_path_factory.mktemp("exported")
    for task, run in runs.items():
        assert main([str(run.path), str(folder / task)]) == 0
    return {task: folder / task for task in runs}


def test_features_predictions_and_pictures_are_the_runs_bit_for_bit(runs, exported, videos):
    video = next(iter(videos))
    for task, run in runs.items():
        again = fbm.load(exported[task], "cpu")
        assert np.array_equal(again.features(video, pool="none"), run.features(video, pool="none"))
        assert again.metrics == pytest.approx(run.metrics, nan_ok=True)
        assert again.classes == run.classes
    assert fbm.load(exported["classify"], "cpu").predict(video) == runs["classify"].predict(video)
    made, wanted = (one.reconstruct(video) for one in (fbm.load(exported["disentangle"], "cpu"), runs["disentangle"]))
    assert all(np.array_equal(a, b) for a, b in zip(made, wanted, strict=True))


def test_whatever_takes_a_run_takes_an_export(runs, exported, videos, tmp_path, capsys):
    run, folder = runs["disentangle"], exported["disentangle"]
    weights = [fbm.load_encoder(place).state_dict() for place in (run.path, folder, folder / "model.safetensors")]
    assert all(torch.equal(values[name], weights[0][name]) for values in weights for name in weights[0])
    encoder = fbm.load_encoder(run.path)
    init = OmegaConf.create({"name": "ours", "task": "disentangle", "checkpoint": str(folder)})
    loaded = initialise(encoder, init)
    assert loaded.missing == loaded.unexpected == ()
    assert loaded.pretraining is not None
    assert loaded.pretraining["fingerprint"] == run.summary.fingerprints.config
    for name, place in (("a", run.path), ("b", folder)):
        out = ("--out", str(tmp_path / f"{name}.npz"), "--device", "cpu", "--workers", "1")
        assert command("extract", str(place), next(iter(videos)), *out) == 0
    made, wanted = (np.load(tmp_path / f"{name}.npz")["features"] for name in "ab")
    assert np.array_equal(made, wanted)


def test_files_hold_results_and_no_paths_of_this_machine(runs, exported, tmp_path):
    folder = exported["classify"]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("README.md", "config.json", "model.safetensors", "results.json"),
    ]
    assert {path.name for path in folder.parent.iterdir()} == {"classify", "disentangle"}
    for name in ("README.md", "config.json", "results.json"):
        assert str(tmp_path.parents[1]) not in (folder / name).read_text()
    card = (folder / "README.md").read_text()
    fields = yaml.safe_load(card.split("---")[1])
    assert fields["pipeline_tag"] == "video-classification"
    accuracy = runs["classify"].metrics["test/video_top1"]
    assert f"| `test/video_top1` | {accuracy:.3g} |" in card
    assert "| seed | 0 |" in card
    assert 'run.predict("video.mp4")' in card
    assert 'run.reconstruct("video.mp4")' in (exported["disentangle"] / "README.md").read_text()


def test_paths_and_what_json_lacks_are_taken_out():
    content = {"root": "/home/me/data", "store": "stores/demo", "loss": float("nan"), "list": ["~/a/b", 1.5, None]}
    assert publishable(content) == {"root": "data", "store": "stores/demo", "loss": None, "list": ["b", 1.5, None]}


def test_an_earlier_export_is_replaced_only_on_request(runs, tmp_path, capsys):
    run, folder = str(runs["classify"].path), tmp_path / "new" / "folder"
    assert main([run, str(folder)]) == 0
    (folder / ".git").mkdir()
    with pytest.raises(UserError, match="holds an export already: choose another folder, or --overwrite"):
        main([run, str(folder)])
    assert main([run, str(folder), "--overwrite"]) == 0
    assert (folder / ".git").is_dir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds other files"):
        main([run, str(tmp_path / "mine")])
    with pytest.raises(UserError, match="is a file"):
        main([run, str(tmp_path / "mine" / "thesis.tex")])
    with pytest.raises(UserError, match="holds no summary"):
        main([str(tmp_path), str(tmp_path / "other")])
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.rglob(".*.part"))


def test_damage_is_named(exported, tmp_path):
    def copy(name: str) -> Path:
        folder = Path(tmp_path) / name
        folder.mkdir()
        for file in exported["classify"].iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        return folder

    weights = copy("weights") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    settings = copy("settings") / "config.json"
    settings.write_text("{")
    later = copy("later") / "config.json"
    later.write_text(json.dumps(json.loads(later.read_text()) | {"format": 2}))
    alone = copy("alone")
    (alone / "config.json").unlink()
    for place, said in (
        (weights.parent, "is damaged: it does not fit the checksum"),
        (settings.parent, "is damaged, or not of `fbm export`"),
        (later.parent, "is of format 2, and this fbm reads 1"),
        (alone / "model.safetensors", "config.json cannot be read"),
        (alone, "no finished run"),
    ):
        with pytest.raises(UserError, match=said):
            fbm.load_encoder(place)


@pytest.fixture
def hub(exported, monkeypatch) -> list[tuple[str, str | None]]:
    """A Hub with one repository; the requests."""
    asked: list[tuple[str, str | None]] = []

    def snapshot_download(repository: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repository, revision))
        assert "model.safetensors" in allow_patterns
        if repository != "me/net":
            raise OSError(f"404 Client Error.\nRepository {repository} Not Found")
        return str(exported["classify"])

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    return asked


def test_a_repository_of_the_hub_is_loaded(runs, hub, videos):
    video = next(iter(videos))
    assert np.array_equal(fbm.load("hf://me/net", "cpu").features(video), runs["classify"].features(video))
    assert not fbm.load_encoder("hf://me/net@v1").training
    assert set(hub) == {("me/net", None), ("me/net", "v1")}
    assert read_checkpoint(Path("hf://me/net"))["fbm"]["task"] == "classify"
    for place, said in (
        ("hf://me/other", r"hf://me/other cannot be downloaded: 404 Client Error\.$"),
        ("hf://net", "it should be hf://USER/NAME"),
    ):
        with pytest.raises(UserError, match=said):
            fbm.load_encoder(place)


def test_without_its_package_the_hub_is_refused_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"needs huggingface_hub: pip install 'fbm-video\[hub\]'"):
        local_path(Path("hf://me/net"))
    assert local_path(Path("hf/me")) == Path("hf/me")


def test_onnx_computes_the_same_for_any_number_of_clips(runs, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime", reason=NEEDS_ONNX)
    pytest.importorskip("onnxscript", reason=NEEDS_ONNX)
    folder = tmp_path / "net"
    assert main([str(runs["classify"].path), str(folder), "--onnx"]) == 0
    assert "model.onnx: features differ from torch's by at most " in capsys.readouterr().out
    assert "logits differ from torch's by at most" in (folder / "README.md").read_text()
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    clips = torch.rand(5, 3, 16, 32, 32) * 2 - 1
    features, logits = session.run(["features", "logits"], {"clips": clips.numpy()})
    task = runs["classify"].task(torch.nn.Module, "")
    with torch.no_grad():
        assert np.allclose(features, runs["classify"].encoder(clips).numpy(), atol=1e-5)
        assert np.allclose(logits, task.network(clips).numpy(), atol=1e-5)


def test_an_onnx_network_that_computes_something_else_is_not_written(runs, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason=NEEDS_ONNX)
    pytest.importorskip("onnxscript", reason=NEEDS_ONNX)
    monkeypatch.setattr("fbm.evaluation.export.onnx.WORST", -1.0)
    with pytest.raises(UserError, match="as ONNX its features differ by"):
        main([str(runs["disentangle"].path), str(tmp_path / "net"), "--onnx"])
    assert list(tmp_path.iterdir()) == []


def test_without_the_packages_it_says_what_to_install(runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'fbm-video\[onnx\]'"):
        main([str(runs["classify"].path), str(tmp_path / "net"), "--onnx"])
    assert list(tmp_path.iterdir()) == []
