"""Whole runs on a tiny store: what they leave, what they refuse, what they repeat."""

import csv
import json
import math
import re
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from pytorch_lightning import Trainer

from fbm import load_encoder
from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset, SampleKey
from fbm.data.store.manifest import MANIFEST, read_manifest
from fbm.runs.checkpoints import PREFIX, read_checkpoint
from fbm.tasks import Autoencode
from tests.conftest import REPOSITORY
from tests.tiny import fbm, make_store, only_error, settings

SUMMARY = {
    *("study", "run", "task", "init", "seed", "monitor", "metrics", "best_epoch", "epochs", "fingerprints", "loaded"),
    *("data", "classes", "samples", "fbm", "git", "versions", "hardware", "throughput", "started", "seconds"),
    *("job_type", "label_fraction", "pretraining", "confusion", "video_confusion", "lock", "packages", "code"),
    *("resumed", "source", "tested_clips", "intervals"),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """One run of each pretraining, tested; look, do not touch."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for task in ("disentangle", "autoencode"):
            assert fbm("train", *settings(store, f"task={task}", f"name={task}", "test=true")) == 0
    return folder / "outputs" / "demo"


@pytest.fixture
def train(store, tmp_path, monkeypatch):
    """Trains in an empty folder; gives the exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*overrides: str) -> int:
        flags = [word for word in overrides if word.startswith("-")]
        return fbm("train", *flags, *settings(store, *(word for word in overrides if word not in flags)))

    return run


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


def weights(run: Path, name: str = "best") -> dict[str, torch.Tensor]:
    content: dict[str, torch.Tensor] = checkpoint(run, name)["state_dict"]
    return content


def checkpoint(run: Path, name: str = "best") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return content


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


# --- what a run leaves


@pytest.mark.parametrize("task", ["disentangle", "autoencode"])
def test_a_run_folder_holds_everything(study, task):
    run = study / task
    names = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file() and ".hydra" not in path.parts}
    assert names - {"provenance/git.diff"} == {  # only where something is uncommitted
        *("config.yaml", "summary.json", "metrics.csv", ".lock", "provenance/packages.txt", "provenance/code.txt"),
        *("checkpoints/best.ckpt", "checkpoints/last.ckpt", "gallery/epoch-000.png", "gallery/test.png"),
    }


def test_config_is_resolved_and_can_be_run_again(study, store):
    text = (study / "disentangle" / "config.yaml").read_text()
    assert "${" not in text
    config = yaml.safe_load(text)
    assert config["encoder"]["width"] == 4
    assert config["data"]["module"]["store"] == str(store)
    assert config == read_checkpoint(study / "disentangle")["fbm"]["config"]


def test_summary_tells_the_result_and_where_it_is_from(study, store):
    told = summary(study / "disentangle")
    assert set(told) == SUMMARY
    assert (told["study"], told["run"], told["task"], told["init"], told["seed"]) == (
        "demo",
        "disentangle",
        "disentangle",
        "random",
        0,
    )
    assert (told["epochs"], told["best_epoch"], told["monitor"]) == (1, 0, "val/reconstruction")
    assert (told["job_type"], told["label_fraction"], told["pretraining"]) == ("pretrain", 1.0, None)
    assert (told["confusion"], told["video_confusion"]) == (None, None)
    assert told["samples"] == {"train": 18, "val": 6, "test": 12}
    assert set(told["fingerprints"]) == {"run", "config", "comparison", "data"}
    assert told["fingerprints"]["data"] == json.loads((store / "manifest.json").read_text())["fingerprint"]
    assert {"torch", "pytorch-lightning", "python"} <= set(told["versions"])
    assert told["hardware"]["device"] == "cpu"
    assert told["throughput"]["clips_per_second"] > 0
    assert 0 <= told["throughput"]["data_wait_share"] <= 1
    terms = ("loss", "first_foreground", "first_background", "last_foreground", "features")
    assert {f"{split}/{term}" for split in ("train", "val", "test") for term in terms} <= set(told["metrics"])


def test_metrics_csv_holds_each_epochs_numbers(study):
    told = summary(study / "disentangle")["metrics"]
    found = {name: value for row in rows(study / "disentangle") for name, value in row.items() if value}
    for name in ("train/loss", "val/loss", "test/loss"):
        assert float(found[name]) == pytest.approx(told[name])


def test_a_checkpoint_is_plain_and_carries_config_and_fingerprints(study):
    for name in ("best", "last"):
        carried = checkpoint(study / "autoencode", name)["fbm"]
        assert carried["task"] == "autoencode"
        assert carried["config"]["encoder"]["width"] == 4
        assert carried["fingerprints"] == summary(study / "autoencode")["fingerprints"]
        assert carried["metrics"]["val/loss"] > 0
        assert carried["epoch"] == 0


def test_results_are_of_the_best_epoch_not_of_the_last(train, monkeypatch):
    real = Autoencode.loss_terms

    def terms(task: Autoencode, batch: ClipBatch) -> dict[str, torch.Tensor]:
        if task.training:
            return real(task, batch)
        if task.trainer.testing:  # tells the weights it is done with
            return {"loss": task.encoder.state_dict()["mapping.0.weight"].square().sum()}
        return {"loss": torch.tensor([3.0, 1.0, 2.0])[task.current_epoch]}

    monkeypatch.setattr(Autoencode, "loss_terms", terms)
    assert train("task=autoencode", "name=run", "trainer.max_epochs=3", "test=true") == 0
    run = Path("outputs/demo/run")
    told = summary(run)
    assert (told["best_epoch"], told["epochs"], told["metrics"]["val/loss"]) == (1, 3, 1.0)
    losses = [float(row["train/loss"]) for row in rows(run) if row["train/loss"]]
    assert told["metrics"]["train/loss"] == pytest.approx(losses[1])
    assert [checkpoint(run, name)["fbm"]["epoch"] for name in ("best", "last")] == [1, 2]
    best, last = (float(weights(run, name)[f"{PREFIX}mapping.0.weight"].square().sum()) for name in ("best", "last"))
    assert best != pytest.approx(last)
    assert told["metrics"]["test/loss"] == pytest.approx(best)


def test_weights_and_biases_beside_it_offline_a_run_a_job(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "elsewhere"))
    less = [word for word in settings(store, "task=classify") if word != "logger=csv"]
    assert fbm("train", "-m", *less, "seed=0,1") == 0
    runs = sorted(Path("outputs/demo").glob("classify-random-seed*"))
    assert len(runs) == 2
    files = [path for run in runs for path in (run / "wandb").glob("offline-run-*/run-*.wandb")]
    assert len(files) == len({path.stem for path in files}) == 2
    assert all((run / "metrics.csv").is_file() for run in runs)
    assert not Path("wandb").exists()
    first, second = (summary(run) for run in runs)
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["fingerprints"]["config"] == second["fingerprints"]["config"]  # so that seeds can be averaged
    assert first["fingerprints"]["run"] != second["fingerprints"]["run"]


def test_no_progress_bar_where_none_is_wanted(train, capsys):
    assert train("task=classify") == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1  # the result
    assert "val/clip_top1" in captured.out
    assert "it/s" not in captured.out + captured.err


# --- initialisations


@pytest.mark.parametrize(("init", "task"), [("ours", "disentangle"), ("autoencoder", "autoencode")])
@pytest.mark.parametrize("by", ["folder", "file"])
def test_classify_from_each_initialisation(study, train, capsys, init, task, by):
    place = study / task / ("checkpoints/best.ckpt" if by == "file" else "")
    frozen = ("task.encoder_gradient=0", "name=run")
    assert train("task=classify", f"init={init}", f"init.checkpoint={place}", *frozen) == 0
    run = Path("outputs/demo/run")
    assert "36 weights matched, 0 missing, 0 unexpected" in capsys.readouterr().out
    assert summary(run)["loaded"] == {"matched": 36, "missing": 0, "unexpected": 0}
    made_by = {"study": "demo", "run": task, "seed": 0, "data": "demo"}
    fingerprint = summary(study / task)["fingerprints"]["config"]
    assert summary(run)["pretraining"] == {"folder": str(place), **made_by, "fingerprint": fingerprint}
    assert summary(run)["job_type"] == "classify"
    made = {key: value for key, value in weights(study / task).items() if key.startswith(PREFIX)}
    assert made
    assert all(torch.equal(weights(run, "last")[key], value) for key, value in made.items())  # frozen: all as it was


def test_classify_from_an_encoder_of_other_data(study, train, tmp_path):
    other = make_store(tmp_path / "other", masks=False)
    start = ("init=ours", f"init.checkpoint={study / 'disentangle'}")
    assert train("task=classify", *start, f"data.store={other}", "data.name=other", "name=run", "test=true") == 0
    told = summary(tmp_path / "outputs" / "other" / "run")
    assert told["loaded"]["matched"] == 36
    assert (told["data"], told["pretraining"]["data"]) == ("other", "demo")
    assert list(told["intervals"]) == ["test/clip_top1", "test/video_top1"]


def test_checkpoints_by_name_and_their_fingerprint(study, train):
    paths = [f"pretrained.ours={study / 'disentangle'}", f"pretrained.autoencoder={study / 'autoencode'}"]
    assert train("-m", "task=classify", "init=random,ours,autoencoder", *paths) == 0
    prints = {summary(run)["init"]: summary(run)["fingerprints"] for run in Path("outputs/demo").glob("classify-*")}
    assert len(prints) == 3
    assert len({told["config"] for told in prints.values()}) == 3
    assert len({told["comparison"] for told in prints.values()}) == 1


def test_fine_tuning_changes_the_encoder(study, train):
    assert train("task=classify", "init=ours", f"init.checkpoint={study / 'disentangle'}", "name=run") == 0
    made, tuned = weights(study / "disentangle"), weights(Path("outputs/demo/run"))
    assert not any(
        torch.equal(tuned[key], made[key]) for key in made if key.startswith(PREFIX) and key.endswith("0.weight")
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["init=ours"], "init=ours needs the checkpoint or run folder of a task=disentangle run"),
        (["init=ours", "init.checkpoint=nowhere"], "no such checkpoint: nowhere"),
        (["init=ours", "init.checkpoint={study}/autoencode"], "is of autoencode"),
        (["init=ours", "init.checkpoint={study}/disentangle", "encoder.width=8"], "is of another encoder"),
        (
            ["init=ours", "init.checkpoint={study}/disentangle/metrics.csv"],
            "metrics.csv cannot be read",
        ),
        (["init=ours", "init.checkpoint={study}"], "no finished run at"),
    ],
)
def test_a_wrong_checkpoint_is_one_line(study, train, capsys, overrides, said):
    assert train("task=classify", "name=run", *(override.format(study=study) for override in overrides)) == 1
    assert said in only_error(capsys.readouterr().err)
    assert not Path("outputs/demo/run/summary.json").exists()


def test_lightnings_refusals_are_one_line(train, capsys):
    assert train("trainer.accelerator=tpux") == 1
    assert "tpux" in only_error(capsys.readouterr().err)
    assert train("monitor.mode=maxx") == 1
    assert "maxx" in only_error(capsys.readouterr().err)


@pytest.mark.parametrize("less", [[], ["callbacks.early_stopping=null"]])
def test_an_unknown_metric_to_monitor_is_one_line_that_names_those_there_are(train, capsys, less):
    assert train("task=classify", "name=run", "monitor.metric=val/clip_top2", *less) == 1
    said = only_error(capsys.readouterr().err)
    assert said.startswith("monitor.metric=val/clip_top2: there is no such metric; there are ")
    assert all(name in said for name in ("train/loss", "val/clip_top1", "val/loss", "val/video_top1"))


# --- run folders


def test_a_failed_run_tells_why_in_its_folder_and_a_later_success_does_not(train, monkeypatch):
    run = Path("outputs/demo/run")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train("task=classify", "name=run")
    told = (run / "failure.txt").read_text()
    assert told.startswith("Traceback")
    assert told.rstrip().endswith("ZeroDivisionError: division by zero")
    assert not (run / "summary.json").exists()
    assert train("task=classify", "name=run") == 0
    assert not (run / "failure.txt").exists()
    assert (run / "earlier-1" / "failure.txt").read_text() == told


def test_what_is_refused_before_it_began_and_what_was_interrupted_did_not_fail(train, monkeypatch):
    assert train("task=classify", "name=refused", "data.size=64") == 1
    monkeypatch.setattr(Trainer, "fit", interrupted)
    assert train("task=classify", "name=stopped") == 130
    assert list(Path("outputs").rglob("*")) == [Path("outputs/demo")]  # no folder that a report would call unfinished


def interrupted(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_test_that_fails_later_leaves_the_finished_run_as_it_was(train, monkeypatch):
    run = Path("outputs/demo/run")
    assert train("task=classify", "name=run") == 0
    before = (run / "summary.json").read_bytes()
    monkeypatch.setattr(Trainer, "test", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train("task=classify", "name=run", "test=true")
    assert (run / "summary.json").read_bytes() == before
    assert not (run / "failure.txt").exists()


def test_a_finished_run_is_not_run_again(train, capsys, monkeypatch):
    assert train("name=run", "task=autoencode") == 0
    before = Path("outputs/demo/run/summary.json").read_bytes()
    capsys.readouterr()
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: pytest.fail("trained again"))
    assert train("name=run", "task=autoencode", "data.num_workers=2") == 0
    assert "outputs/demo/run is finished already; overwrite=true runs it again" in capsys.readouterr().out
    assert Path("outputs/demo/run/summary.json").read_bytes() == before
    assert train("name=run", "task=autoencode", "optim.lr=0.5") == 1
    assert "finished run with other settings" in only_error(capsys.readouterr().err)
    assert Path("outputs/demo/run/summary.json").read_bytes() == before


def test_a_finished_run_of_other_data_is_not_given_back(train, store, tmp_path, capsys):
    """Else a sweep that is done in part would have seeds of two data sets, and exit status 0."""
    own = tmp_path / "own"
    shutil.copytree(store, own)
    assert train("name=run", "task=autoencode", f"data.store={own}") == 0
    assert train("name=run", "task=autoencode", f"data.store={own}") == 0
    manifest = read_manifest(own)
    (own / MANIFEST).write_text(replace(manifest, videos=manifest.videos[1:]).to_json())
    capsys.readouterr()
    assert train("name=run", "task=autoencode", f"data.store={own}") == 1
    assert f"was trained on other data than {own} holds now" in only_error(capsys.readouterr().err)


def test_overwrite_keeps_the_old_run(train):
    assert train("name=run", "task=autoencode", "seed=1") == 0
    assert train("name=run", "task=autoencode", "seed=2", "overwrite=true") == 0
    run = Path("outputs/demo/run")
    assert summary(run)["seed"] == 2
    assert summary(run / "earlier-1")["seed"] == 1
    assert checkpoint(run / "earlier-1")["fbm"]["config"]["seed"] == 1
    assert len([row for row in rows(run) if row["val/loss"]]) == 1


def test_what_an_unfinished_run_left_is_moved_aside(train, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train("name=run", "task=autoencode")
    run = Path("outputs/demo/run")
    assert not (run / "summary.json").exists()
    assert train("name=run", "task=autoencode") == 0
    assert (run / "earlier-1" / "config.yaml").is_file()
    assert not (run / "earlier-1" / "summary.json").exists()
    assert summary(run)["epochs"] == 1


def test_an_interrupted_run_is_not_finished(train, monkeypatch, capsys):
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClipDataset, "batch", interrupt)
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert train("name=run", "task=autoencode") == 130
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning lets no second one through
    assert "interrupted" in capsys.readouterr().err
    assert not Path("outputs/demo/run/summary.json").exists()


def test_a_failing_job_of_a_sweep_does_not_stop_the_others(study, train, capsys):
    assert train("-m", "task=classify", "init=ours,random") == 1
    assert "fbm: error: init=ours needs the checkpoint" in capsys.readouterr().err
    finished = [path.parent.name for path in Path("outputs/demo").glob("*/summary.json")]
    assert len(finished) == 1
    assert finished[0].startswith("classify-random-seed0")


# --- data


def test_the_test_split_is_touched_only_when_asked(train, monkeypatch):
    touched: list[str] = []
    real = ClipDataset.batch

    def watched(clips: ClipDataset, keys: Sequence[SampleKey]) -> ClipBatch:
        touched.extend([clips.videos[0].split] * len(keys))
        return real(clips, keys)

    monkeypatch.setattr(ClipDataset, "batch", watched)
    assert train("task=disentangle", "name=a") == 0
    assert set(touched) == {"train", "val"}
    assert not any(name.startswith("test/") for name in summary(Path("outputs/demo/a"))["metrics"])
    touched.clear()
    assert train("task=classify", "name=b", "test=true") == 0
    assert touched.count("test") == 12  # every clip once
    assert {"test/loss", "test/clip_top1", "test/video_top1"} <= set(summary(Path("outputs/demo/b"))["metrics"])


def test_a_store_without_masks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = settings(make_store(tmp_path / "bare", masks=False), "masks=none")
    assert fbm("train", *run) == 1
    assert "task=disentangle needs masks" in only_error(capsys.readouterr().err)
    assert fbm("train", *run, "task=autoencode") == 0
    assert fbm("train", *settings(tmp_path / "bare"), "masks=boxes") == 1
    assert "prepared with masks=none, this run asks for masks=boxes" in only_error(capsys.readouterr().err)


def test_a_validation_without_any_foreground_is_measured_as_nan_and_breaks_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path / "store", empty=("val", "test"))
    assert fbm("train", *settings(store, "task.target=random", "trainer.max_epochs=2", "test=true", "name=run")) == 0
    run = tmp_path / "outputs" / "demo" / "run"
    metrics = summary(run)["metrics"]
    measures = [f"{measure}_{end}_foreground" for measure in ("psnr", "ssim", "iou") for end in ("first", "last")]
    for name in (*measures, "psnr_any_foreground"):
        assert math.isnan(metrics[f"val/{name}"])
        assert math.isnan(metrics[f"test/{name}"])
    assert all(math.isfinite(value) for name, value in metrics.items() if "foreground" not in name)
    assert [row["val/psnr_last_foreground"] for row in rows(run) if row["val/psnr_last_foreground"]] == ["nan", "nan"]
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}


def test_without_validation_the_best_is_by_training_loss(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = settings(make_store(tmp_path / "bare", val=False), "data.validation=0.0", "name=run")
    assert fbm("train", *run, "task=classify", "trainer.max_epochs=2") == 0
    assert "no validation clips" in capsys.readouterr().out
    told = summary(Path("outputs/demo/run"))
    losses = [float(row["train/loss"]) for row in rows(Path("outputs/demo/run")) if row["train/loss"]]
    assert told["monitor"] == "train/loss"
    stands = yaml.safe_load(Path("outputs/demo/run/config.yaml").read_text())
    assert stands["monitor"] == {"metric": "train/loss", "mode": "min"}
    assert stands == read_checkpoint(Path("outputs/demo/run"))["fbm"]["config"]
    assert told["metrics"]["train/loss"] == pytest.approx(min(losses))
    assert fbm("train", *run, "task=disentangle", "name=pre") == 0
    assert Path("outputs/demo/pre/gallery/epoch-000.png").is_file()


def test_sizes_that_are_not_the_stores(train, capsys):
    assert train("data.size=64") == 1
    assert "prepared with data.size=32, this run asks for data.size=64" in only_error(capsys.readouterr().err)


# --- repeatable


@pytest.mark.parametrize("task", ["disentangle", "classify"])
def test_two_identical_runs_give_the_same_weights_to_the_bit(train, task):
    for name in ("a", "b"):
        assert train(f"task={task}", f"name={name}", "trainer.max_epochs=2") == 0
    one, other = (weights(Path("outputs/demo") / name, "last") for name in ("a", "b"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert train(f"task={task}", "name=c", "trainer.max_epochs=2", "seed=1") == 0
    another = weights(Path("outputs/demo/c"), "last")
    assert not torch.equal(one[f"{PREFIX}mapping.0.weight"], another[f"{PREFIX}mapping.0.weight"])


def test_classes_that_are_colours_are_learnt(train):
    assert train("task=classify", "name=run", "trainer.max_epochs=12", "optim.lr=3e-3", "test=true") == 0
    metrics = summary(Path("outputs/demo/run"))["metrics"]
    assert metrics["test/clip_top1"] > 0.6
    assert metrics["test/video_top1"] > 0.6


# --- tested later


def test_a_finished_run_can_be_tested_later_and_is_not_trained_again(train, capsys):
    assert train("task=classify", "name=run") == 0
    run = Path("outputs/demo/run")
    before, history, best = summary(run), rows(run), weights(run)
    assert train("task=classify", "name=run", "test=true") == 0
    after = summary(run)
    assert {name for name in after["metrics"] if name not in before["metrics"]} == {
        *("test/loss", "test/clip_top1", "test/video_top1")
    }
    counts = {name: after[name] for name in ("confusion", "video_confusion")}
    assert all(sum(map(sum, rows)) == 12 for rows in counts.values())
    assert (before["tested_clips"], after["tested_clips"]) == (None, 12)
    assert before["intervals"] == {}
    assert list(after["intervals"]) == ["test/clip_top1", "test/video_top1"]
    as_before = {"metrics": before["metrics"], "intervals": {}, **dict.fromkeys((*counts, "tested_clips"))}
    assert {**after, **as_before} == before
    assert rows(run) == history
    assert all(torch.equal(value, best[name]) for name, value in weights(run).items())
    capsys.readouterr()
    assert train("task=classify", "name=run", "test=true") == 0
    assert "finished already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limit", "tested", "said"),
    [("1", 8, "; partial test: 8 of 12 clips; best"), ("0.5", 8, "; partial test: 8 of 12 clips; best")]
    + [(whole, 12, None) for whole in ("null", "1.0", "2", "99")],
)
def test_a_run_says_how_many_clips_were_tested(train, capsys, limit, tested, said):
    assert train("task=classify", "name=run", "test=true", f"trainer.limit_test_batches={limit}") == 0
    told = summary(Path("outputs/demo/run"))
    assert (told["tested_clips"], told["samples"]["test"]) == (tested, 12)
    assert sum(map(sum, told["confusion"])) == tested
    printed = capsys.readouterr().out
    assert said in printed if said else "partial" not in printed


@pytest.mark.parametrize("limit", ["0", "0.0", "0.2"])
def test_a_test_of_nothing_is_refused_before_the_training(train, capsys, monkeypatch, limit):
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: pytest.fail("trained"))
    assert train("task=classify", "name=run", "test=true", f"trainer.limit_test_batches={limit}") == 1
    assert only_error(capsys.readouterr().err) == (
        f"trainer.limit_test_batches={limit} tests none of the 12 test clips, which are 2 batches of 8: set it higher, "
        "or test=false"
    )


def test_a_batch_of_one_value_is_one_line(train, capsys):
    assert train("task=classify", "data.batch_size=1", "encoder.norm=batch", "encoder.mapping_norm=batch") == 1
    assert "encoder.mapping_norm=group" in only_error(capsys.readouterr().err)


@pytest.mark.parametrize("overrides", ["optim.lr=-1", "data.batch_size=8.0", "task.kernels=0"])
def test_values_that_only_a_constructor_refuses_are_one_line(train, capsys, overrides):
    assert train(overrides) == 1
    only_error(capsys.readouterr().err)


def test_an_unfinished_run_is_no_initialisation(study, train, capsys, tmp_path):
    copy = tmp_path / "half"
    shutil.copytree(study / "disentangle", copy)
    (copy / "summary.json").unlink()
    assert train("task=classify", "init=ours", f"init.checkpoint={copy}") == 1
    assert "no finished run" in only_error(capsys.readouterr().err)


def test_the_sweep_flag_may_stand_behind_the_settings(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fbm("train", *settings(store, "seed=0,1"), "-m") == 0
    assert len(list(tmp_path.glob("outputs/demo/*/summary.json"))) == 2


@pytest.fixture
def train_own(store, tmp_path, monkeypatch) -> Callable[..., int]:
    """Trains the encoder that docs/encoders.md shows, whose module and config are in the working directory."""
    document = (REPOSITORY / "docs" / "encoders.md").read_text()
    module, config = tmp_path / "mypackage" / "nets.py", tmp_path / "my_conf" / "encoder" / "flat.yaml"
    for kind, place in (("python", module), ("yaml", config)):
        place.parent.mkdir(parents=True)
        place.write_text(document.split(f"```{kind}\n")[1].split("```")[0])
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("mypackage")]:
        monkeypatch.delitem(sys.modules, name)
    known = [word for word in settings(store) if not word.startswith("encoder.")]
    return lambda *more: fbm("train", "--config-dir", "my_conf", *known, "encoder=flat", *more)


def test_an_encoder_of_the_users_own_is_found_trained_and_loaded(train_own, capsys):
    assert train_own("encoder.channels=24", "task=disentangle", "name=a") == 0
    start = ("init=ours", "init.checkpoint=outputs/demo/a")
    assert train_own("encoder.channels=24", "task=classify", "name=b", *start) == 0
    assert "init=ours: 2 weights matched, 0 missing, 0 unexpected" in capsys.readouterr().out
    encoder = load_encoder("outputs/demo/b")
    assert type(encoder).__module__ == "mypackage.nets"
    assert encoder(torch.zeros(1, 3, 16, 32, 32)).shape == (1, 24, 2, 2)


def test_what_an_own_encoder_lacks_is_one_line_and_nothing_is_trained(train_own, tmp_path, capsys):
    module = tmp_path / "mypackage" / "nets.py"
    module.write_text(module.read_text().replace("self.feature_shape", "self.feature_shapes"))
    assert train_own() == 1
    assert "Flat has no attribute feature_shape" in only_error(capsys.readouterr().err)
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_finished_run_says_where_its_code_has_changed_since(train_own, tmp_path, capsys):
    assert train_own("task=autoencode", "name=run") == 0
    before = Path("outputs/demo/run/summary.json").read_bytes()
    capsys.readouterr()
    assert train_own("task=autoencode", "name=run") == 0
    assert "the code has changed" not in capsys.readouterr().out
    module = tmp_path / "mypackage" / "nets.py"
    module.write_text(module.read_text() + "# and more\n")
    assert train_own("task=autoencode", "name=run") == 0
    out = capsys.readouterr().out
    assert "since this run began (mypackage/nets.py): overwrite=true trains it again" in out
    assert "outputs/demo/run is finished already" in out
    assert Path("outputs/demo/run/summary.json").read_bytes() == before


def test_weights_of_the_losses_are_settings_in_config_and_metrics(study, train):
    assert train("task=disentangle", "test=true", "task.weights.features=0", "task.weights.first_background=0.5") == 0
    (run,) = Path("outputs/demo").iterdir()
    config = yaml.safe_load((run / "config.yaml").read_text())["task"]["weights"]
    assert (config["features"], config["first_background"], config["last_foreground"]) == (0, 0.5, 1)
    for split in ("val", "test"):
        plain, own = (summary(one)["metrics"] for one in (study / "disentangle", run))
        parts = {name: own[f"{split}/{name}"] for name in ("first_foreground", "first_background", "last_foreground")}
        assert own[f"{split}/reconstruction"] == pytest.approx(sum(parts.values()), rel=1e-5)
        assert own[f"{split}/loss"] == pytest.approx(sum(parts.values()) - 0.5 * parts["first_background"], rel=1e-5)
        whole = plain[f"{split}/reconstruction"] + plain[f"{split}/features"]
        assert plain[f"{split}/loss"] == pytest.approx(whole, rel=1e-5)
        assert own[f"{split}/features"] > 0  # measured, and not learnt


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("task.weights.feature=2", "no such setting 'task.weights.feature'; did you mean 'task.weights.features'?"),
        ("task.weights.features=-1", "each must be a finite number of at least 0, and one above 0"),
        ("task.weights.features=inf", "each must be a finite number of at least 0"),
        ("task.weights.features=much", "task.weights.features='much': it should be a valid number"),
    ],
)
def test_wrong_weights_are_one_line(train, capsys, override, said):
    assert train(override) == 1
    assert said in only_error(capsys.readouterr().err)


def test_nothing_that_a_store_is_made_of_is_repeated(store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    plain = ("encoder.width=4", "trainer=debug", "logger=csv", "callbacks.progress=null", "task=autoencode")
    assert fbm("train", f"data.store={store}", *plain) == 0
    (run,) = Path("outputs/demo").iterdir()
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert (config["data"]["size"], config["data"]["validation"], config["masks"]["name"]) == (32, 0.1, "boxes")
    capsys.readouterr()
    for contradiction in ("masks=unsupervised", "data.validation=0.5", "data.classes=[Bounce]"):
        assert fbm("train", f"data.store={store}", *plain, contradiction) == 1
        key = contradiction.split("=")[0]
        assert re.search(rf"was prepared with {key}=.*, this run asks for {key}=", only_error(capsys.readouterr().err))
