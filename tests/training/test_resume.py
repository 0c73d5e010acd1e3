"""Restore modes: what each of them brings back and what not, what is refused, and that both halves make one whole."""

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from fbm.runs.checkpoints import PREFIX
from fbm.training.callbacks import Throughput
from tests.runs.test_checkpoints import Command
from tests.tiny import fbm, make_store, only_error, settings
from tests.training.interrupted import Killed, Moment, draw_everywhere, end_at, load, rows, same, summary

RUNS = Path("outputs/demo")
EARLY = ("callbacks.early_stopping.patience=9", "+callbacks.early_stopping.min_delta=100")


@dataclass
class Seen:
    """A training when its first step is about to begin."""

    weights: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    epoch: int
    step: int
    rate: float
    drawn: float  # the next random number
    rows: int
    best: float | None
    waited: int


def one_of(callbacks: list[Any], kind: type) -> Any:
    return next(callback for callback in callbacks if type(callback) is kind)


@pytest.fixture
def begin(store, tmp_path, monkeypatch) -> Callable[..., Seen]:
    """Starts a run, ends it before its first step, and tells how it would have begun."""
    monkeypatch.chdir(tmp_path)

    def run(*asked: str) -> Seen:
        found: list[Seen] = []

        def look(_: Any, trainer: Any, task: Any, *__: Any) -> None:
            best, early = (one_of(trainer.callbacks, kind) for kind in (ModelCheckpoint, EarlyStopping))
            score = None if best.best_model_score is None else float(best.best_model_score)
            state, (optimiser,) = {k: v.clone() for k, v in task.state_dict().items()}, trainer.optimizers
            place, rate = (trainer.current_epoch, trainer.global_step), optimiser.param_groups[0]["lr"]
            told = len(trainer.loggers[0].history)
            found.append(
                Seen(state, optimiser.state_dict(), *place, rate, float(torch.rand(1)), told, score, early.wait_count)
            )
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(Throughput, "on_train_batch_start", look)
            with pytest.raises(Killed):
                fbm("train", *asked)
        return found[0]

    return run


def classify(store: Path, *more: str) -> list[str]:
    """Two epochs of two steps with a rising rate; a later setting of a key goes before."""
    few = (
        "task=classify",
        "trainer.max_epochs=2",
        "callbacks.last.minutes=null",
        *EARLY,
        *(f"callbacks.{one}=null" for one in ("gallery", "probes")),
    )
    given = {word.split("=")[0]: word for word in settings(store, *few, *more)}
    return list(given.values())


def killed(monkeypatch: pytest.MonkeyPatch, moment: Moment, *asked: str) -> Path:
    """A run that is ended at a moment; its folder."""
    with monkeypatch.context() as patch:
        end_at(patch, moment)
        with pytest.raises(Killed):
            fbm("train", *asked)
    return RUNS / next(word for word in asked if word.startswith("name=")).removeprefix("name=")


# --- the table of docs/resume.md, row by row


def test_init_takes_the_encoders_weights_alone(store, begin):
    assert fbm("train", *classify(store, "task=autoencode", "name=made")) == 0
    made = load(RUNS / "made", "best")["state_dict"]
    fresh, seen = (begin(*classify(store, f"name={name}", *more)) for name, more in INITS)
    for name, value in seen.weights.items():
        there = name.startswith(PREFIX)
        assert torch.equal(value, made[name] if there else fresh.weights[name]), name
    assert not same(fresh.weights, seen.weights)
    assert (seen.optimiser["state"], seen.epoch, seen.step, seen.rows, seen.best, seen.waited) == ({}, 0, 0, 0, None, 0)


INITS = (("a", ()), ("b", ("init=autoencoder", f"init.checkpoint={RUNS / 'made'}")))


def test_resume_path_takes_the_weights_and_the_trainer(store, begin):
    asked = (*classify(store), "schedule=halving", "schedule.step_size=1")
    assert fbm("train", *asked, "name=first") == 0
    first = load(RUNS / "first", "last")
    seen = begin(*asked, f"resume={RUNS / 'first'}", "name=longer", "trainer.max_epochs=5")
    assert same(seen.weights, first["state_dict"])
    assert same(seen.optimiser["state"], first["optimizer_states"][0]["state"])
    assert (seen.epoch, seen.step, seen.rate) == (2, 4, 1e-3 / 2**4)
    torch.set_rng_state(first["fbm_resume"]["random"][0]["torch"])
    assert seen.drawn == float(torch.rand(1))
    assert (seen.rows, seen.best, seen.waited) == (0, None, 0)  # the loggers and what is best are its own
    assert len(rows(RUNS / "first")) == 4
    assert not (RUNS / "longer" / "checkpoints" / "best.ckpt").exists()


def test_resume_auto_takes_the_weights_the_trainer_and_the_loggers(store, begin, monkeypatch):
    asked = (*classify(store, "trainer.max_epochs=3"), "name=run")
    run = killed(monkeypatch, Moment("on_train_batch_start", 2, 0), *asked)
    last = load(run, "last")
    seen = begin(*asked)
    assert same(seen.weights, last["state_dict"])
    assert same(seen.optimiser["state"], last["optimizer_states"][0]["state"])
    torch.set_rng_state(last["fbm_resume"]["random"][0]["torch"])
    assert seen.drawn == float(torch.rand(1))
    assert (seen.epoch, seen.step, seen.rows, seen.waited) == (2, 4, 4, 1)
    assert seen.best == pytest.approx(load(run, "best")["fbm"]["metrics"]["val/clip_top1"])


def test_resume_none_and_a_first_start_take_nothing(store, begin, monkeypatch):
    asked = (*classify(store), "name=run")
    first = begin(*asked)
    run = killed(monkeypatch, Moment("on_train_batch_start", 1, 1), *asked)
    seen = begin(*asked, "resume=none")
    for one in (first, seen):
        assert (one.optimiser["state"], one.epoch, one.step, one.rows, one.best, one.waited) == ({}, 0, 0, 0, None, 0)
    assert same(seen.weights, first.weights)
    assert seen.drawn == first.drawn
    # It ended before it had trained anything: what was moved aside for it is in its place again.
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert not list(run.glob("earlier-*"))


# --- halves and wholes


@pytest.fixture
def train(store, tmp_path, monkeypatch):
    """Trains in an empty folder; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    return lambda *overrides: fbm("train", *classify(store, *overrides))


def test_a_longer_run_from_a_shorter_one_ends_as_if_it_had_been_longer_at_once(train, monkeypatch, capsys):
    draw_everywhere(monkeypatch)
    assert train("name=whole", "trainer.max_epochs=4") == 0
    assert train("name=first") == 0
    assert train("name=second", f"resume={RUNS / 'first'}", "trainer.max_epochs=4") == 0
    whole, second = (load(RUNS / name, "last") for name in ("whole", "second"))
    for part in ("state_dict", "optimizer_states", "loops"):
        assert same(second[part], whole[part]), part
    assert rows(RUNS / "second") == rows(RUNS / "whole")[4:]
    told, first = summary(RUNS / "second"), summary(RUNS / "first")
    assert (told["epochs"], told["resumed"], first["source"]) == (4, 0, None)
    prints = {key: first["fingerprints"][key] for key in ("config", "comparison")}
    assert told["source"] == {
        "checkpoint": str(RUNS / "first/checkpoints/last.ckpt"),
        "place": "the training",
        **prints,
    }
    assert told["fingerprints"]["config"] != summary(RUNS / "whole")["fingerprints"]["config"]
    best = RUNS / "first" / "checkpoints" / "best.ckpt"
    assert train("name=third", f"resume={best}", "trainer.max_epochs=4") == 1
    assert f"{best} holds weights alone, for init.checkpoint" in capsys.readouterr().err


def test_such_a_run_goes_on_from_its_own_checkpoint_when_the_other_is_gone(train, monkeypatch, store):
    assert train("name=first") == 0
    asked = ("name=second", f"resume={RUNS / 'first'}", "trainer.max_epochs=4")
    killed(monkeypatch, Moment("on_train_batch_start", 3, 1), *classify(store, *asked))
    shutil.rmtree(RUNS / "first")
    assert train(*asked) == 0
    told = summary(RUNS / "second")
    assert (told["epochs"], told["resumed"], told["source"]["place"]) == (4, 1, "the training")
    assert load(RUNS / "second", "last")["fbm"]["fingerprints"] == told["fingerprints"]


def test_a_run_that_is_over_is_tested_and_not_fitted_again(train, monkeypatch, store, capsys):
    moment = Moment("on_test_batch_start", 2, 0)
    run = killed(monkeypatch, moment, *classify(store, "name=run", "test=true"))
    before = (run / "checkpoints" / "last.ckpt").read_bytes()
    monkeypatch.setattr("pytorch_lightning.Trainer.fit", lambda *_, **__: pytest.fail("fitted"))
    assert train("name=run", "test=true") == 0
    assert "resumes after the training" in capsys.readouterr().out
    told = summary(run)
    assert (told["epochs"], told["resumed"]) == (2, 1)
    assert "test/clip_top1" in told["metrics"]
    assert set(told["throughput"]) == {"clips_per_second", "data_wait_share", "step_seconds"}
    assert (run / "checkpoints" / "last.ckpt").read_bytes() == before


def test_seconds_are_of_all_attempts_and_the_start_is_the_firsts(train, monkeypatch, store):
    asked = classify(store, "name=run")
    run = killed(monkeypatch, Moment("on_train_batch_start", 1, 1), *asked)
    past = load(run, "last")["fbm_resume"]["past"]
    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    content["fbm_resume"]["past"] |= {"seconds": 1000.0, "started": 0.0}
    torch.save(content, run / "checkpoints" / "last.ckpt")
    assert train("name=run") == 0
    assert past["seconds"] > 0
    assert summary(run)["seconds"] > 1000
    assert summary(run)["started"] == "1970-01-01T00:00:00+00:00"


def test_a_run_folder_that_was_moved_goes_on_with_its_best_checkpoint(train, monkeypatch, store, tmp_path):
    asked = ("name=run", "trainer.max_epochs=3", "optim.lr=0")  # the first epoch stays the best one
    run = killed(monkeypatch, Moment("on_train_batch_start", 2, 0), *classify(store, *asked))
    monkeypatch.chdir(tmp_path / "outputs")
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "outputs", tmp_path / "elsewhere" / "outputs")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert train(*asked) == 0
    state = next(value for key, value in load(run, "last")["callbacks"].items() if key.startswith("ModelCheckpoint"))
    assert state["best_model_path"] == str(Path(run / "checkpoints" / "best.ckpt").resolve())
    assert summary(run)["best_epoch"] == load(run, "best")["fbm"]["epoch"] == 0


# --- refusals


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, store: Path) -> Path:
    """A finished run with a schedule that has an end, and one that was ended in the middle of an epoch; look only."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert fbm("train", *classify(store, "schedule=one_cycle", "name=cycle")) == 0
        half = classify(store, "data.batch_size=4", "callbacks.last.minutes=0", "name=half")
        killed(patch, Moment("on_train_batch_start", 1, 2), *half)
    return folder / RUNS


@pytest.mark.parametrize(
    ("run", "overrides", "said"),
    [
        ("cycle", ("task=autoencode",), "was trained with task_name=classify, this run has autoencode: resume"),
        ("cycle", ("encoder.width=8",), "was trained with encoder.width=4, this run has 8"),
        ("cycle", ("optim.lr=1e-2",), "was trained with optim.lr=0.001, this run has 0.01"),
        (
            "cycle",
            ("schedule=constant",),
            "was trained with schedule._target_=fbm.tasks.schedules.one_cycle, thi",
        ),
        ("cycle", ("trainer.max_epochs=2",), "has completed 2 epochs, and this run ends after trainer.max_epochs=2"),
        ("cycle", (), "was trained with a schedule of 4 steps, this run has 12: it cannot"),
        (
            "half",
            ("schedule=constant", "data.batch_size=8"),
            "was saved at step 2 of epoch 2 and was trained with data.b",
        ),
        (
            "half",
            ("schedule=constant", "data.batch_size=4", "seed=1"),
            "was saved at step 2 of epoch 2 and was trained with seed=0, this run",
        ),
    ],
)
def test_another_run_that_does_not_fit_is_one_line(first, train, capsys, run, overrides, said):
    asked = ("schedule=one_cycle", "trainer.max_epochs=6", f"resume={first / run}", "name=new", *overrides)
    assert train(*asked) == 1
    assert said in only_error(capsys.readouterr().err)
    assert not (RUNS / "new" / "checkpoints").exists()


def test_a_run_ended_in_an_epochs_middle_can_be_gone_on_from(first, train):
    asked = ("data.batch_size=4", f"resume={first / 'half/checkpoints/last.ckpt'}", "name=new", "trainer.max_epochs=3")
    assert train(*asked) == 0
    assert [row["epoch"] for row in rows(RUNS / "new") if row["val/loss"]] == ["1", "2"]
    assert summary(RUNS / "new")["source"]["place"] == "step 2 of epoch 2"


def test_another_run_from_before_a_setting_was_one_has_its_default(first, train, tmp_path):
    checkpoint = torch.load(first / "half/checkpoints/last.ckpt", weights_only=True)
    del checkpoint["fbm"]["config"]["task"]["crops"]
    torch.save(checkpoint, tmp_path / "earlier.ckpt")
    resume = f"resume={tmp_path / 'earlier.ckpt'}"
    assert train("data.batch_size=4", resume, "name=new", "trainer.max_epochs=3") == 0


def test_other_data_are_refused_for_the_same_run_and_for_another(first, train, capsys, tmp_path, monkeypatch, store):
    own = shutil.copytree(store, tmp_path / "own")
    killed(monkeypatch, Moment("on_train_batch_start", 1, 1), *classify(own, "name=run"))
    manifest = (own / "manifest.json").read_text()
    other = make_store(tmp_path / "other", masks=False)
    capsys.readouterr()
    shutil.rmtree(own)
    shutil.move(other, own)
    assert (own / "manifest.json").read_text() != manifest
    again = classify(own, "name=run", "masks=none")
    before = (RUNS / "run" / "metrics.csv").read_bytes()
    monkeypatch.setattr("fbm.runs.folder._belongs_to", lambda *_: True)  # as where the settings are the same
    assert fbm("train", *again) == 1
    said = only_error(capsys.readouterr().err)
    assert "was trained on other data than" in said
    assert "run `fbm prepare` with the earlier settings and videos, or resume=none" in said
    assert (RUNS / "run" / "metrics.csv").read_bytes() == before
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert fbm("train", *classify(own, "masks=none", f"resume={first / 'half'}", "name=new")) == 1
    assert "was trained on other data than" in only_error(capsys.readouterr().err)


def test_initial_weights_that_were_made_anew_are_refused(train, capsys, monkeypatch, store):
    made = RUNS / "made"
    start = classify(store, "init=autoencoder", f"init.checkpoint={made}", "name=run")
    assert train("task=autoencode", "name=made") == 0
    killed(monkeypatch, Moment("on_train_batch_start", 1, 1), *start)
    content = load(made, "best")  # as another run of that name would have left it
    content["fbm"]["fingerprints"]["config"] = "another"
    torch.save(content, made / "checkpoints" / "best.ckpt")
    capsys.readouterr()
    assert fbm("train", *start) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "started from earlier weights than init.checkpoint holds now: resume=none" in said
    assert fbm("train", *start, "resume=none") == 0


@pytest.mark.parametrize("way", ["auto", "path"])
def test_a_checkpoint_that_is_damaged_foreign_or_runs_code_is_named(first, train, capsys, tmp_path, way, store):
    run = shutil.copytree(first / "half", tmp_path / RUNS / "half")
    path = run / "checkpoints" / "last.ckpt"
    whole, content = path.read_bytes(), load(run, "last")
    asked = ["data.batch_size=4", "name=half", "callbacks.last.minutes=0"]
    if way == "path":
        asked[1:] = ["name=new", f"resume={run}", "trainer.max_epochs=3"]

    def refused() -> str:
        assert train(*asked) == 1
        return only_error(capsys.readouterr().err)

    path.write_bytes(whole[: len(whole) // 2])
    assert f"{path.relative_to(tmp_path)} cannot be read as a checkpoint" in refused().replace(f"{tmp_path}/", "")
    torch.save({"state_dict": {}}, path)
    assert "last.ckpt is not a checkpoint that fbm made" in refused()
    torch.save({**content, "fbm": {**content["fbm"], "trap": Command(tmp_path / "ran")}}, path)
    assert "last.ckpt refused: it holds more than weights" in refused()
    assert not (tmp_path / "ran").exists()
    torch.save({key: value for key, value in content.items() if key != "fbm_resume"}, path)
    assert "last.ckpt holds weights alone, for init.checkpoint: no training can resume" in refused()
    if way == "auto":
        path.write_bytes(whole)
        assert train(*asked) == 0


def test_what_resume_may_be(train, capsys):
    assert train("resume=null") == 1
    assert only_error(capsys.readouterr().err).startswith("resume=None: it should be a valid string")
    assert train("resume=aut") == 1
    assert "resume=aut: there is no such checkpoint" in only_error(capsys.readouterr().err)


def test_a_network_that_is_another_by_now_is_one_line(first, train, capsys, tmp_path):
    run = shutil.copytree(first / "half", tmp_path / RUNS / "half")
    content = load(run, "last")
    del content["state_dict"]["network.encoder.mapping.0.bias"]
    torch.save(content, run / "checkpoints" / "last.ckpt")
    assert train("data.batch_size=4", "name=half", "callbacks.last.minutes=0") == 1
    said = only_error(capsys.readouterr().err)
    assert "does not fit the network that this fbm makes (network.encoder.mapping.0.bias): resume=none" in said


def test_without_the_callback_nothing_is_saved_and_signals_are_left_alone(store, begin, monkeypatch):
    handlers = []
    real = Throughput.on_train_batch_start

    def look(*values: Any) -> None:
        handlers.append(signal.getsignal(signal.SIGUSR1))
        real(*values)

    monkeypatch.setattr(Throughput, "on_train_batch_start", look)
    before = signal.getsignal(signal.SIGUSR1)
    given = [word for word in classify(store) if not word.startswith("callbacks.last")]
    assert fbm("train", *given, "callbacks.last=null", "name=run") == 0
    assert set(handlers) == {before}
    assert [path.name for path in (RUNS / "run" / "checkpoints").iterdir()] == ["best.ckpt"]
    assert (summary(RUNS / "run")["resumed"], summary(RUNS / "run")["source"]) == (0, None)
