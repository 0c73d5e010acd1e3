"""What W&B is told, read back from its offline files."""

import json
import math
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import wandb
import yaml
from pytorch_lightning import Trainer

from fbm.config.compose import compose
from fbm.config.instantiate import build
from fbm.training.loggers import reach
from fbm.training.loggers.mirror import FinishedRun
from fbm.training.loggers.wandb import WandbLogger, mode
from fbm.utils.errors import UserError
from tests.runs.summaries import run_summary
from tests.tiny import CLASSES, fbm, settings
from tests.training.loggers.offline import OfflineRun, offline_runs


def wandb_settings(store: Path, *more: str) -> list[str]:
    return settings(store, "logger=wandb", "logger.wandb.tags=[mine]", *more)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """A tested pretraining of two epochs, and a tested classification from it; look, do not touch."""
    folder = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        pre = ("task=autoencode", "name=pre", "test=true", "trainer.max_epochs=2", "seed=3")
        assert fbm("train", *wandb_settings(store, *pre)) == 0
        start = ("init=autoencoder", "init.checkpoint=outputs/demo/pre")
        assert fbm("train", *wandb_settings(store, "task=classify", 'name="a run=1"', "test=true", *start)) == 0
    return folder / "outputs" / "demo"


@pytest.fixture(scope="module")
def pre(study: Path) -> OfflineRun:
    return one(study / "pre")


@pytest.fixture(scope="module")
def classified(study: Path) -> OfflineRun:
    return one(study / "a run=1")


def one(run: Path) -> OfflineRun:
    runs = offline_runs(run)
    assert len(runs) == 1
    return runs[0]


def summary(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "summary.json").read_text())
    return content


# --- what it is told


def test_a_longer_tag_than_wandb_takes_is_cut(tmp_path, fresh_wandb):
    fresh_wandb.setenv("WANDB_MODE", "offline")
    logger = WandbLogger(tmp_path, "run", "study", "classify", tags=["x" * 65, "", "y" * 64])
    assert logger.experiment.tags == ("x" * 64, "y" * 64)
    logger.experiment.finish()


def test_what_lightning_imports_of_wandb_is_not_needed(tmp_path, fresh_wandb):
    """Its own logger needs a name that W&B will remove; ours replaces that part, so later versions may be installed."""
    fresh_wandb.setenv("WANDB_MODE", "offline")
    fresh_wandb.delattr("wandb.sdk.lib.RunDisabled")
    logger = WandbLogger(tmp_path, "run", "study", "classify")
    logger.log_hyperparams({"seed": 0})
    logger.log_metrics({"val/loss": 0.5}, 3)
    logger.log_run(FinishedRun(tmp_path, run_summary(confusion=[[1, 0], [0, 1]], classes=["a", "b"])))
    logger.close(failed=False)
    (found,) = offline_runs(tmp_path)
    assert found.series("val/loss") == [0.5]
    assert found.table("test/clip_confusion")["data"]


@pytest.mark.parametrize(("tested", "tags"), [(8, ("mine", "partial test")), (12, ("mine",)), (None, ("mine",))])
def test_a_run_whose_test_left_clips_out_is_tagged(tmp_path, fresh_wandb, tested, tags):
    fresh_wandb.setenv("WANDB_MODE", "offline")
    logger = WandbLogger(tmp_path, "run", "study", "classify", tags=["mine"])
    logger.log_run(FinishedRun(tmp_path, run_summary(job_type="classify", samples={"test": 12}, tested_clips=tested)))
    assert logger.experiment.tags == tags
    assert logger.experiment.summary.get("tested_clips") == tested
    logger.experiment.finish()


def test_group_job_type_name_and_tags(pre, classified):
    assert (pre.run.project, pre.run.run_group, pre.run.job_type, pre.run.display_name) == (
        *("fbm", "demo", "pretrain"),
        "pre",
    )
    assert (classified.run.job_type, classified.run.display_name) == ("classify", "a run=1")
    assert list(pre.run.tags) == ["autoencode", "random", "demo", "C3DEncoder", "width 4", "mine"]
    assert list(classified.run.tags)[:2] == ["classify", "autoencoder"]


def test_two_jobs_of_one_process_are_two_runs_and_their_folders_know_them(study, pre, classified):
    assert pre.run.run_id != classified.run.run_id
    assert (study / "pre" / "wandb_id").read_text().strip() == pre.run.run_id
    assert (study / "a run=1" / "wandb_id").read_text().strip() == classified.run.run_id
    assert wandb.run is None


def test_the_config_is_the_resolved_one(study, pre):
    config = yaml.safe_load((study / "pre" / "config.yaml").read_text())
    assert {key: value for key, value in pre.config.items() if key != "_wandb"} == config
    assert pre.config["encoder"]["width"] == 4


def test_every_epochs_metrics_with_their_protocol(study, pre, classified):
    losses = pre.series("val/loss")
    assert len(losses) == 2
    assert min(losses) == pytest.approx(summary(study / "pre")["metrics"]["val/loss"])
    assert pre.series("epoch")[:2] == [0, 0]
    metrics = summary(study / "a run=1")["metrics"]
    for name in ("val/clip_top1", "val/video_top1", "test/clip_top1", "test/video_top1"):
        assert classified.series(name) == [pytest.approx(metrics[name])]


def test_the_summary_is_of_the_best_epoch_and_says_where_it_is_from(study, pre, classified):
    for run, found in ((study / "pre", pre), (study / "a run=1", classified)):
        told = summary(run)
        assert {name: found.summary[name] for name in told["metrics"]} == pytest.approx(told["metrics"])
        for key in ("monitor", "best_epoch", "fingerprints", "git", "pretraining"):
            assert found.summary[key] == told[key]


def test_pictures_are_files_by_their_epoch(study, pre):
    shown = [(row["gallery/epoch.path"], row["epoch"]) for row in pre.history if "gallery/epoch.path" in row]
    assert [epoch for _, epoch in shown] == [0, 1]
    for (path, _), name in zip(
        [*shown, (pre.summary["gallery/test.path"], None)],
        ("epoch-000.png", "epoch-001.png", "test.png"),
        strict=True,
    ):
        assert path in pre.files
        assert (pre.folder / "files" / path).read_bytes() == (study / "pre" / "gallery" / name).read_bytes()


def test_the_confusion_matrix_as_numbers_table_and_picture(study, classified):
    told = summary(study / "a run=1")
    for unit, counts in (("clip", told["confusion"]), ("video", told["video_confusion"])):
        table = classified.table(f"test/{unit}_confusion")
        assert table["columns"] == ["true class", *CLASSES]
        assert table["data"] == [[name, *row] for name, row in zip(CLASSES, counts, strict=True)]
        assert sum(map(sum, counts)) == 12
    right = sum(told["confusion"][label][label] for label in range(3))
    assert right / 12 == pytest.approx(told["metrics"]["test/clip_top1"])
    picture = classified.folder / "files" / classified.summary["gallery/confusion.path"]
    assert picture.read_bytes() == (study / "a run=1" / "gallery" / "confusion.png").read_bytes()


def test_accuracy_of_every_class_as_a_table(study, classified):
    told = summary(study / "a run=1")
    table = classified.table("test/clip_per_class")
    assert table["columns"] == ["class", "number", "right", "accuracy"]
    rights = [told["confusion"][label][label] for label in range(3)]
    assert table["data"] == [[name, 4, right, right / 4] for name, right in zip(CLASSES, rights, strict=True)]


def test_the_checkpoint_is_what_one_run_makes_and_the_other_starts_from(study, pre, classified):
    made, used = ([a for a in run.artifacts if a.type == "model"] for run in (pre, classified))
    assert len(made) == len(used) == 1
    assert (made[0].name, made[0].use_after_commit) == ("demo-pre", False)
    assert (used[0].name, used[0].use_after_commit) == ("demo-pre", True)
    assert made[0].digest == used[0].digest  # by which W&B knows them to be one
    path = study / "pre" / "checkpoints" / "best.ckpt"
    for artifact in (made[0], used[0]):
        assert [(entry.path, entry.local_path) for entry in artifact.manifest.contents] == [("best.ckpt", str(path))]
    told = summary(study / "pre")
    assert json.loads(made[0].metadata)["fingerprints"] == told["fingerprints"]
    started = summary(study / "a run=1")["pretraining"]
    assert started == {
        **{"folder": "outputs/demo/pre", "study": "demo", "run": "pre", "seed": 3, "data": "demo"},
        "fingerprint": told["fingerprints"]["config"],
    }
    assert json.loads(used[0].metadata) == classified.summary["pretraining"] == started


def test_artifact_names_are_what_wandb_accepts(tmp_path):
    from fbm.training.loggers.artifacts import model_artifact

    (tmp_path / "best.ckpt").write_bytes(b"weights")
    artifact = model_artifact(tmp_path / "best.ckpt", "my study", "classify-ours-seed0-optim.lr=1e-3,x", {})
    assert artifact.name.startswith("my-study-classify-ours-seed0-optim.lr-1e-3-x")


def test_an_artifact_takes_numbers_that_are_infinite_or_none(tmp_path):
    from fbm.training.loggers.artifacts import model_artifact

    (tmp_path / "best.ckpt").write_bytes(b"weights")
    metrics = {"val/psnr": math.inf, "val/iou": math.nan, "each": [-math.inf, 1.5]}
    artifact = model_artifact(tmp_path / "best.ckpt", "study", "run", {"metrics": metrics, "seed": 0})
    assert artifact.metadata == {"metrics": {"val/psnr": "inf", "val/iou": None, "each": ["-inf", 1.5]}, "seed": 0}


# --- how it ends


def test_a_run_ends_well_or_badly_and_is_ended(pre, store, tmp_path, monkeypatch):
    assert pre.exit_code == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fbm("train", *wandb_settings(store, "task=classify", "name=run"))
    failed = one(tmp_path / "outputs" / "demo" / "run")
    assert failed.exit_code == 1
    assert failed.config["name"] == "run"


def test_testing_later_and_going_on_keep_the_id_and_a_new_start_has_a_new_one(store, tmp_path, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "outputs" / "demo" / "run"
    asked = wandb_settings(store, "task=classify", "name=run")
    assert fbm("train", *asked) == 0
    assert fbm("train", *asked, "test=true") == 0
    first, later = offline_runs(run)
    assert first.run.run_id == later.run.run_id
    assert first.series("test/clip_top1") == []
    assert later.series("test/clip_top1") == [pytest.approx(summary(run)["metrics"]["test/clip_top1"])]
    assert later.table("test/clip_confusion")["data"]
    assert summary(run)["confusion"] is not None
    assert (run / "gallery" / "confusion.png").is_file()
    assert fbm("train", *asked, "overwrite=true") == 0
    anew = one(run)
    assert anew.run.run_id != first.run.run_id
    assert (run / "earlier-1" / "wandb_id").read_text().strip() == first.run.run_id
    assert not [warning for warning in recwarn if "anonymous" in str(warning.message)]


def test_a_failing_dashboard_is_a_warning_and_the_run_is_finished(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(WandbLogger, "_log_lineage", lambda *_: 1 / 0)
    with pytest.warns(UserWarning, match="WandbLogger did not log all of .*ZeroDivisionError"):
        assert fbm("train", *wandb_settings(store, "task=autoencode", "name=run")) == 0
    assert (tmp_path / "outputs" / "demo" / "run" / "summary.json").is_file()


# --- online or offline


@pytest.fixture
def fresh_wandb(monkeypatch):
    """W&B as in a process that has not used it, without WANDB_MODE."""
    wandb.teardown()
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    yield monkeypatch
    wandb.teardown()


KEY = "0123456789" * 4


def test_without_a_key_it_is_offline(fresh_wandb):
    assert mode(None) == "offline"
    with pytest.raises(UserError, match=r"no W&B key: run `wandb login`, .* logger\.wandb\.offline=true"):
        mode(False)


def test_with_a_key_it_is_online(fresh_wandb, tmp_path):
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    fresh_wandb.setenv("NETRC", str(tmp_path / "netrc"))
    fresh_wandb.setenv("WANDB_BASE_URL", "https://api.wandb.ai")
    assert mode(None) == mode(False) == "online"
    assert mode(True) == "offline"
    fresh_wandb.setenv("WANDB_MODE", "offline")
    assert mode(None) == "offline"
    fresh_wandb.setenv("WANDB_MODE", "disabled")
    assert mode(None) == "disabled"
    fresh_wandb.setenv("WANDB_MODE", "of")
    with pytest.raises(UserError, match="WANDB_MODE=of: it should be one of online, "):
        mode(None)


def test_a_key_in_the_environment_counts_and_a_wrong_one_is_named(fresh_wandb):
    fresh_wandb.setenv("WANDB_API_KEY", KEY)
    assert mode(None) == "online"
    wandb.teardown()
    fresh_wandb.setenv("WANDB_API_KEY", "short")
    with pytest.raises(UserError, match=r"logger\.wandb\.offline=true"):
        mode(None)


def test_a_disabled_run_leaves_nothing(fresh_wandb, store, tmp_path):
    fresh_wandb.chdir(tmp_path)
    fresh_wandb.setenv("WANDB_MODE", "disabled")
    assert fbm("train", *wandb_settings(store, "task=classify", "name=run", "test=true")) == 0
    run = tmp_path / "outputs" / "demo" / "run"
    assert (run / "summary.json").is_file()
    assert not (run / "wandb_id").exists()
    assert not (run / "wandb").exists()


@pytest.mark.parametrize("known", [None, "abc123"])
def test_what_wandb_is_asked_for_online(fresh_wandb, tmp_path, known):
    asked: dict[str, Any] = {}
    fresh_wandb.setattr("fbm.training.loggers.wandb.unreachable_reason", lambda url: None)
    fresh_wandb.setattr(wandb, "login", lambda **_: True)
    fresh_wandb.setattr(wandb, "init", lambda **more: asked.update(more) or 1 / 0)
    if known:
        (tmp_path / "wandb_id").write_text(f"{known}\n")
    with pytest.raises(ZeroDivisionError):
        _ = WandbLogger(tmp_path, "run", "study", "classify", tags=["mine"], notes="why").experiment
    assert asked == {
        **{"name": "run", "group": "study", "job_type": "classify", "project": "fbm", "entity": None, "tags": ["mine"]},
        **{"dir": str(tmp_path), "mode": "online", "reinit": "create_new", "notes": "why"},
        **{"id": known, "resume": "allow" if known else None},
    }


def test_what_a_server_refuses_is_one_line(fresh_wandb, tmp_path):
    def refused(**_: Any) -> None:
        raise wandb.errors.CommError("permission denied")

    fresh_wandb.setattr("fbm.training.loggers.wandb.unreachable_reason", lambda url: None)
    fresh_wandb.setattr(wandb, "login", lambda **_: True)
    fresh_wandb.setattr(wandb, "init", refused)
    with pytest.raises(UserError, match=r"W&B: permission denied; logger\.wandb\.offline=true keeps the run local"):
        _ = WandbLogger(tmp_path, "run", "study", "classify").experiment


# --- a key, and no network


@pytest.fixture
def silent(fresh_wandb) -> Iterator[str]:
    """The address of a server that takes connections and never answers; W&B is told to go there, with a key."""
    fresh_wandb.setattr(reach, "TIMEOUT", 0.5)
    fresh_wandb.setattr(reach, "RETRY_TIMEOUT", 0.2)
    fresh_wandb.setattr(reach, "_silent", set())
    fresh_wandb.setenv("WANDB_API_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        fresh_wandb.setenv("WANDB_BASE_URL", url)
        yield url


def test_where_nobody_answers_every_job_of_a_sweep_is_offline_and_says_so(silent, fresh_wandb, store, tmp_path, capsys):
    fresh_wandb.chdir(tmp_path)
    begun, init = [], wandb.init

    def watched(**more: Any) -> Any:
        begun.append(more["mode"])
        return init(**more)

    fresh_wandb.setattr(wandb, "init", watched)
    assert fbm("train", "-m", *wandb_settings(store, "task=classify", "callbacks.probes=null", "seed=0,1")) == 0
    assert begun == ["offline", "offline"]  # no client has waited for the server
    told = [line for line in capsys.readouterr().out.splitlines() if "does not answer" in line]
    runs = sorted((tmp_path / "outputs" / "demo").glob("classify*"))
    assert [line.split(":")[0] for line in told] == ["W&B's server http"] * 2
    for line, run, patience in zip(told, runs, ("0.5", "0.2"), strict=True):
        assert f"{silent} does not answer (no answer within {patience} s): offline, `wandb sync {run}/wandb/" in line
        assert one(run).series("val/loss")
        assert (run / "summary.json").is_file()


def test_a_server_that_refuses_a_name_that_there_is_not_and_a_gateway_are_away_any_other_answer_is_one(silent):
    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(int(self.path[1:]))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert reach.unreachable_reason(f"http://127.0.0.1:{port}") == "Connection refused"
    assert reach.unreachable_reason("http://nowhere.invalid")
    assert reach.unreachable_reason("no address") is None  # W&B says it better
    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reach, "TIMEOUT", 60.0)
            url = f"http://127.0.0.1:{server.server_port}"
            assert [reach.unreachable_reason(f"{url}/{code}") for code in (200, 404, 500)] == [None] * 3
            assert reach.unreachable_reason(f"{url}/503") == "503 Service Unavailable"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_that_does_not_come_is_said_alike_whichever_clock_runs_out_first(silent, monkeypatch):
    assert reach._failure(silent, 0.1) == ["no answer within 0.1 s"]  # the socket's own
    monkeypatch.setattr(reach, "_failure", lambda url, patience: Event().wait(1.0) or [])
    monkeypatch.setattr(reach, "TIMEOUT", 0.1)
    assert reach.unreachable_reason("http://slow.invalid") == "no answer within 0.1 s"


def test_a_server_that_is_back_is_noticed(silent, fresh_wandb):
    answers = [["gone"], []]
    fresh_wandb.setattr(reach, "_failure", lambda url, patience: answers.pop(0))
    assert [reach.unreachable_reason(silent) for _ in range(2)] == ["gone", None]
    assert silent not in reach._silent


def test_a_server_that_begins_no_run_in_time_is_given_up_for_the_rest(silent, fresh_wandb, tmp_path, capsys):
    begun, init = [], wandb.init

    def slow(**more: Any) -> Any:
        begun.append(more["mode"])
        if more["mode"] == "online":
            raise wandb.errors.CommError("Run initialization has timed out after 90.0 sec.")
        return init(**more)

    fresh_wandb.setattr("fbm.training.loggers.wandb.unreachable_reason", lambda url: None)
    fresh_wandb.setattr("fbm.training.loggers.wandb.unresponsive", {})
    fresh_wandb.setattr(wandb, "init", slow)
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        WandbLogger(tmp_path / str(number), "run", "study", "classify").experiment.finish()
    assert begun == ["online", "offline", "offline"]
    assert capsys.readouterr().out.count(": offline, `wandb sync") == 2


def test_who_asks_to_be_online_is_refused_at_once(silent, tmp_path):
    with pytest.raises(UserError, match=rf"{silent} does not answer .*: logger\.wandb\.offline=null"):
        _ = WandbLogger(tmp_path, "run", "study", "classify", offline=False).experiment
    assert not (tmp_path / "wandb_id").exists()


def test_project_entity_and_tags_of_the_environment(fresh_wandb):
    fresh_wandb.setenv("WANDB_PROJECT", "mine")
    fresh_wandb.setenv("WANDB_ENTITY", "team")
    fresh_wandb.setenv("WANDB_TAGS", "night, second,,tried")
    node = compose(["logger=wandb"]).logger.wandb
    assert (node.project, node.entity) == ("mine", "team")
    assert compose(["logger=wandb", "logger.wandb.project=other"]).logger.wandb.project == "other"
    logger: WandbLogger = build(compose(["logger=wandb", "logger.wandb.tags=[own,night]"]).logger.wandb)
    assert logger._wandb_init["tags"] == ["own", "night", "second", "tried"]
    for key in ("PROJECT", "ENTITY", "TAGS"):
        fresh_wandb.setenv(f"WANDB_{key}", "")
    empty: WandbLogger = build(compose(["logger=wandb"]).logger.wandb)
    assert [empty._wandb_init[key] for key in ("project", "entity", "tags")] == ["fbm", None, []]


@pytest.mark.parametrize("tags", ["", " ,", "night, second,,tried", "x" * 99])
def test_tags_of_the_environment_that_wandb_would_refuse_begin_a_run(fresh_wandb, tmp_path, tags):
    fresh_wandb.setenv("WANDB_TAGS", tags)
    logger = WandbLogger(tmp_path, "run", "study", "classify", offline=True)
    asked = [tag.strip()[:64] for tag in tags.split(",") if tag.strip()]
    assert list(logger.experiment.tags or ()) == asked
    logger.experiment.finish()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("BASE_URL", "nourl", "base_url: Input should be a valid URL"), ("CONSOLE", "x", "console: ")],
)
def test_a_variable_that_wandb_refuses_is_named(fresh_wandb, tmp_path, key, value, said):
    fresh_wandb.setenv(f"WANDB_{key}", value)
    with pytest.raises(UserError, match=f"^W&B's setting {said}"):
        _ = WandbLogger(tmp_path, "run", "study", "classify", offline=True).experiment
    assert not (tmp_path / "wandb_id").exists()
