"""A run that is ended again and again, at every kind of moment, ends as one that is left alone: to the bit."""

from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.callbacks import EarlyStopping

from fbm.config.compose import compose
from fbm.training.launch import run_training
from tests.tiny import make_store, settings
from tests.training.interrupted import Moment, assert_same, draw_everywhere, killed, load, pass_minutes, same, summary

pytestmark = pytest.mark.slow

RUNS = Path("outputs/demo")
STEPWISE, EPOCHWISE = "callbacks.last.minutes=0", "callbacks.last.minutes=null"
QUICK = ("data.batch_size=4", "trainer.max_epochs=3", "callbacks.gallery=null")  # four steps an epoch


@pytest.fixture
def ended_again_and_again(store, tmp_path, monkeypatch):
    """Makes a run and its like that is ended at moments, one an attempt, and compares them; gives the latter's summary.

    Every step draws from all random generators.
    """
    monkeypatch.chdir(tmp_path)
    draw_everywhere(monkeypatch)

    def compare(moments: list[Moment], *more: str, store: Path = store) -> dict[str, Any]:
        alone, run = (compose(settings(store, *QUICK, *more, f"name={name}")) for name in ("alone", "run"))
        run_training(alone.copy())
        for moment in moments:
            killed(lambda: run_training(run.copy()), moment)
        run_training(run.copy())
        assert_same(RUNS / "run", RUNS / "alone")
        return summary(RUNS / "run")

    return compare


def test_in_every_part_of_a_run(ended_again_and_again):
    moments = [
        Moment("on_train_batch_start", 0, 0),  # nothing is saved: it begins anew
        Moment("on_train_batch_start", 0, 2),
        Moment("on_validation_batch_start", 0, 0),
        Moment("on_train_epoch_start", 1),
        Moment("on_train_batch_start", 1, 1),
        Moment("on_train_batch_end", 1, 3),  # an epoch's last step is done, not what follows it
        Moment("on_validation_end", 1),
        Moment("on_train_end", 3),
        Moment("on_test_batch_start", 3, 1),
        Moment("on_test_end", 3),
    ]
    told = ended_again_and_again(moments, "task=classify", "schedule=one_cycle", "test=true", STEPWISE)
    assert told["resumed"] == 6  # as often as it went on with what was kept in the end


def test_saved_between_epochs_alone(ended_again_and_again):
    moments = [Moment("on_train_batch_start", 1, 3), Moment("on_train_epoch_end", 2)]
    told = ended_again_and_again(moments, "task=classify", EPOCHWISE)
    assert told["resumed"] == 2  # from the starts of the second epoch and of the third


def test_by_time_at_any_of_ten_moments(ended_again_and_again, monkeypatch):
    """Twenty epochs of three steps; a save is due every seventh step: within epochs, and at the start of some."""
    pass_minutes(monkeypatch, 1)
    moments = [
        *(Moment("on_train_batch_start", 0, 2), Moment("on_train_epoch_start", 2), Moment("on_validation_end", 4)),
        *(Moment("on_train_batch_end", 6, 1), Moment("on_validation_batch_start", 8, 0)),
        *(Moment("on_train_epoch_end", 10), Moment("on_train_batch_start", 13, 0), Moment("on_train_batch_end", 15, 2)),
        *(Moment("on_train_epoch_start", 18), Moment("on_train_end", 20)),
    ]
    asked = ("task=classify", "data.batch_size=6", "trainer.max_epochs=20", "callbacks.last.minutes=7")
    told = ended_again_and_again(moments, *asked)
    assert told["epochs"] == 20
    assert told["resumed"] >= 7


def test_pretraining_with_probes_and_gradients_of_two_steps_added_up(ended_again_and_again):
    moments = [Moment("on_train_batch_start", 0, 3), Moment("on_train_batch_start", 1, 2)]
    schedule = ("schedule=halving", "schedule.step_size=1", "trainer.accumulate_grad_batches=2")
    beyond = ("task.target=random", "task.adversarial=0.05", "task.discriminator.lr=1e-4")
    told = ended_again_and_again(moments, "task=disentangle", *beyond, "trainer.max_epochs=2", *schedule, STEPWISE)
    assert told["resumed"] == 2


def test_averaged_weights(ended_again_and_again):
    """Both the average and the weights that it is of; the test and best.ckpt have the average."""
    moments = [
        *(Moment("on_train_batch_start", 0, 2), Moment("on_validation_batch_start", 1, 0)),
        *(Moment("on_train_batch_end", 2, 1), Moment("on_test_batch_start", 3, 0)),
    ]
    averaged = ("callbacks=ema", "callbacks.gallery=null", "callbacks.ema.decay=0.9")
    told = ended_again_and_again(moments, "task=classify", *averaged, "test=true", STEPWISE)
    assert told["resumed"] >= 3
    run, alone = (load(RUNS / name, "last") for name in ("run", "alone"))
    for part in ("current_model_state", "averaging_state"):
        assert same(run[part], alone[part])
    assert run["averaging_state"]["n_averaged"] == 12
    assert not same(run["state_dict"], run["current_model_state"])
    best = load(RUNS / "run", "best")
    assert "current_model_state" not in best
    if told["best_epoch"] == 2:
        assert same(best["state_dict"], run["state_dict"])


@pytest.mark.parametrize(
    "task",
    [
        ("task=contrast", "task.background=paste", "augment=field"),
        ("task=order", "input=residual"),
        ("task=disentangle_contrast",),
    ],
)
def test_tasks_that_compare_the_windows_of_a_video(ended_again_and_again, task):
    moments = [Moment("on_train_batch_start", 0, 3), Moment("on_train_batch_start", 1, 2)]
    told = ended_again_and_again(moments, *task, "trainer.max_epochs=2", "schedule=warmup_cosine", STEPWISE)
    assert told["resumed"] == 2


def test_epochs_of_one_step_that_end_early(ended_again_and_again):
    early = ("callbacks.early_stopping.patience=2", "+callbacks.early_stopping.min_delta=100", "trainer.max_epochs=9")
    moments = [
        Moment("on_train_batch_start", 1, 0),
        Moment("on_train_epoch_end", 1),
        Moment("on_train_end", 3),
        Moment("on_test_start", 3),  # were it fitted again, it would not stop after three epochs
    ]
    told = ended_again_and_again(moments, "task=classify", "data.batch_size=16", "test=true", *early, STEPWISE)
    assert (told["resumed"], told["epochs"]) == (3, 3)


@pytest.mark.slow
def test_with_data_workers_and_without_validation(ended_again_and_again, tmp_path):
    store = make_store(tmp_path / "bare", val=False)
    moments = [Moment("on_train_batch_start", 0, 2), Moment("on_train_batch_start", 1, 0)]
    bare = ("data.validation=0.0", "data.num_workers=1", "trainer.max_epochs=2")
    ended_again_and_again(moments, "task=classify", *bare, STEPWISE, store=store)


@pytest.mark.slow
def test_a_number_of_steps_that_ends_within_an_epoch_and_validation_twice_an_epoch(ended_again_and_again):
    moments = [
        Moment("on_train_batch_start", 0, 2),
        Moment("on_train_batch_start", 1, 0),
        Moment("on_train_epoch_end", 1),
    ]
    ended_again_and_again(moments, "task=classify", "+trainer.max_steps=7", "+trainer.val_check_interval=0.5", STEPWISE)


def test_what_was_measured_an_epoch_ago_is_remembered(ended_again_and_again):
    moments = [Moment("on_train_batch_start", 2, 1)]
    ended_again_and_again(moments, "task=classify", "trainer.check_val_every_n_epoch=2", STEPWISE)


def test_a_stop_that_has_to_wait_is_remembered(ended_again_and_again, monkeypatch):
    def stop_at_first(early: EarlyStopping, _: Any) -> tuple[bool, None]:
        early.wait_count += 1
        return early.wait_count == 1, None

    monkeypatch.setattr(EarlyStopping, "_evaluate_stopping_criteria", stop_at_first)
    moments = [Moment("on_train_batch_start", 1, 0), Moment("on_train_batch_start", 2, 0)]
    more = ("+trainer.min_epochs=3", "trainer.max_epochs=5", "trainer.limit_train_batches=1")
    told = ended_again_and_again(moments, "task=classify", *more, EPOCHWISE)
    assert told["epochs"] == 3
