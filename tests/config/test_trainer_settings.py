"""What a Lightning user passes to the trainer: each works, or is refused in one line before anything is begun."""

import json
import re

import pytest

from fbm.config.compose import compose
from fbm.config.instantiate import check_run
from fbm.config.trainer_settings import batches_of, check_trainer, check_validates, steps_of
from fbm.utils.errors import UserError
from tests.tiny import fbm, only_error, settings


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("max_epochs", 0, "trains nothing: it should be above 0"),
        ("max_steps", 0, "trains nothing"),
        ("limit_train_batches", 0, "trains nothing"),
        ("limit_train_batches", 0.0, "trains nothing"),
        ("fast_dev_run", True, "trainer=debug shows whether it runs at all"),
        ("fast_dev_run", 2, "trainer=debug"),
        ("overfit_batches", 1, "trainer=debug"),
        ("overfit_batches", 0.5, "trainer=debug"),
        ("barebones", True, "trainer=debug"),
        ("enable_checkpointing", False, "a run is nothing without its checkpoints"),
        ("use_distributed_sampler", True, "fbm's own sampler"),
        ("logger", False, "is set by fbm itself, leave it out: logger=csv"),
        ("callbacks", [], "callbacks.NAME=null"),
        ("plugins", [], "trainer.precision"),
        ("enable_progress_bar", False, "callbacks.progress=null"),
        ("accumulate_grad_batches", 0, "at least 1"),
        ("accumulate_grad_batches", -1, "at least 1"),
        ("check_val_every_n_epoch", 0, "at least 1"),
        ("check_val_every_n_epoch", -1, "at least 1"),
        ("num_nodes", 0, "at least 1"),
        ("log_every_n_steps", -1, "at least 0"),
        ("gradient_clip_val", -0.5, "at least 0"),
        ("min_epochs", -1, "at least 0"),
        ("num_sanity_val_steps", -2, "at least -1"),
        ("precision", "64-true", "it should be 32-true, bf16-mixed or 16-mixed"),
        ("precision", "bf16-true", "32-true"),
        ("precision", 64, "32-true"),
        ("precision", "transformer-engine", "32-true"),
        ("max_time", 30, "DD:HH:MM:SS"),
        ("max_time", "soon", "DD:HH:MM:SS"),
        ("max_time", "00:00:00:00", "a time above zero"),
        ("max_time", {"years": 3}, "DD:HH:MM:SS"),
        ("max_time", {"seconds": -3}, "a time above zero"),
        ("val_check_interval", 0, "a number of batches from 1 on"),
        ("val_check_interval", -1.0, "a number of batches from 1 on"),
        ("val_check_interval", "00:00:10:00", "a number of batches from 1 on"),
        ("val_check_interval", {"minutes": 10}, "a number of batches from 1 on"),
    ],
)
def test_what_a_run_cannot_do_with_is_refused_by_name(key, value, said):
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        check_trainer({key: value})
    assert str(caught.value).startswith(f"trainer.{key}")


def test_a_runs_check_looks_at_the_trainer():
    with pytest.raises(UserError, match=r"trainer\.overfit_batches=1"):
        check_run(compose(["+trainer.overfit_batches=1"]))


@pytest.mark.parametrize(
    "trainer",
    [
        {"max_epochs": -1, "max_steps": -1, "fast_dev_run": False, "overfit_batches": 0.0, "barebones": False},
        {"enable_checkpointing": True, "max_time": "00:12:00:00", "min_epochs": 2, "min_steps": 3},
        {"precision": "16-mixed"},
        {"precision": 32},
        {"max_time": {"hours": 1}},
        {"val_check_interval": 0.25, "gradient_clip_val": None, "num_sanity_val_steps": -1},
        {"check_val_every_n_epoch": None, "val_check_interval": 100, "gradient_clip_val": 0.5},
        {"limit_val_batches": 0, "deterministic": "warn", "profiler": "simple", "detect_anomaly": True},
    ],
)
def test_the_others_are_taken(trainer):
    check_trainer(trainer)


@pytest.mark.parametrize(
    ("limit", "batches"), [(None, 10), (3, 3), (30, 10), (1.0, 10), (1, 1), (0.5, 5), (0.19, 1), (2.0, 2)]
)
def test_batches_of_an_epoch(limit, batches):
    assert batches_of({"limit_train_batches": limit}, 10) == batches


def test_a_share_that_is_no_batch_is_named_with_the_least():
    with pytest.raises(
        UserError, match=r"trainer\.limit_train_batches=0\.05 of 10 batches is none: take at least 0\.1"
    ):
        batches_of({"limit_train_batches": 0.05}, 10)


@pytest.mark.parametrize(
    ("trainer", "steps"),
    [
        ({"max_epochs": 3}, 30),
        ({"max_epochs": 3, "accumulate_grad_batches": 4}, 9),
        ({"max_epochs": 3, "max_steps": 7}, 7),
        ({"max_epochs": 3, "max_steps": -1}, 30),
        ({"max_epochs": -1, "max_steps": 7}, 7),
        ({"max_epochs": None, "max_steps": 7}, 7),
        ({"max_epochs": None}, 10_000),
        ({"max_epochs": None, "max_time": "00:01:00:00"}, None),
        ({"max_epochs": -1}, None),
    ],
)
def test_steps_of_a_training(trainer, steps):
    assert steps_of(trainer, 10) == steps


@pytest.mark.parametrize(
    ("trainer", "validated"),
    [
        ({"max_epochs": 1}, True),
        ({"max_epochs": 1, "check_val_every_n_epoch": 2}, False),
        ({"max_epochs": 2, "check_val_every_n_epoch": 2}, True),
        ({"max_epochs": 9, "max_steps": 9}, False),
        ({"max_epochs": 9, "max_steps": 10}, True),
        ({"max_epochs": 9, "max_steps": 5, "val_check_interval": 5}, True),
        ({"max_epochs": 9, "max_steps": 4, "val_check_interval": 5}, False),
        ({"max_epochs": 9, "max_steps": 4, "val_check_interval": 0.5}, False),
        ({"max_epochs": 9, "max_steps": 1, "val_check_interval": 0.01}, True),
        ({"max_epochs": 9, "max_steps": 1, "val_check_interval": 3, "accumulate_grad_batches": 2}, False),
        ({"max_epochs": 9, "max_steps": 2, "val_check_interval": 3, "accumulate_grad_batches": 2}, True),
        ({"max_epochs": 9, "max_steps": 2, "accumulate_grad_batches": 4}, False),
        ({"max_epochs": 9, "max_steps": 3, "accumulate_grad_batches": 4}, True),
        ({"max_epochs": 1, "check_val_every_n_epoch": None, "val_check_interval": 25}, False),
        ({"max_epochs": 3, "check_val_every_n_epoch": None, "val_check_interval": 25}, True),
        ({"max_epochs": 1, "check_val_every_n_epoch": None}, True),
        ({"max_epochs": -1}, True),
    ],
)
def test_training_that_ends_before_its_first_validation_is_refused(trainer, validated):
    if validated:
        check_validates(trainer, 10)
    else:
        with pytest.raises(UserError, match=r"training ends after \d+ steps, before it is first validated"):
            check_validates(trainer, 10)


def test_an_interval_beyond_the_epoch_is_named_with_the_way_to_have_it():
    with pytest.raises(UserError, match=r"val_check_interval=11 is more than the 10 batches .*every_n_epoch=null"):
        check_validates({"max_epochs": 2, "val_check_interval": 11}, 10)


# --- whole commands; the store's epoch has two steps


def trained(store, run, *more):
    return fbm("train", *settings(store, f"run_dir={run}", "task=classify", "callbacks.probes=null", *more))


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (["trainer.accelerator=mps"], ["trainer.precision=32"], "`MPSAccelerator` can not run on your system"),
        (["+trainer.gradient_clip_algorithm=foo"], ["+trainer.gradient_clip_algorithm=norm"], "`gradient_clip_alg"),
        (["trainer.limit_train_batches=1.5"], ["trainer.limit_train_batches=0.5"], "invalid value 1.5"),
        (["+trainer.profiler=foo"], ["+trainer.profiler=simple"], "`profiler`"),
        (["trainer.max_epochs=-2"], ["trainer.max_epochs=-1", "+trainer.max_steps=3"], "You passed in -2"),
    ],
)
def test_what_lightning_refuses_is_refused_before_anything_is_begun(store, tmp_path, capsys, wrong, right, said):
    run = tmp_path / "run"
    assert trained(store, run, *wrong) == 1
    assert said in only_error(capsys.readouterr().err)
    assert list(run.iterdir()) == []  # Hydra makes the folder
    assert trained(store, run, *right) == 0
    assert (run / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        (["+trainer.max_steps=1"], ["+trainer.max_steps=2"], "training ends after 1 steps"),
        (["trainer.check_val_every_n_epoch=2"], ["+trainer.val_check_interval=0.5"], "training ends after 2 steps"),
        (["+trainer.val_check_interval=3"], ["+trainer.val_check_interval=1"], "more than the 2 batches of an epoch"),
        (["callbacks.checkpoint=null"], [], "no callback keeps the best weights as "),
        (["callbacks.checkpoint.filename=mine"], [], "no callback keeps the best weights as "),
        (["+callbacks.checkpoint.save_top_k=0"], [], "no callback keeps the best weights as "),
        (
            ["schedule=one_cycle", "trainer.max_epochs=-1", "+trainer.max_time=00:01:00:00"],
            ["schedule=one_cycle", "trainer.max_epochs=-1", "+trainer.max_steps=3"],
            "must know how many steps there are",
        ),
    ],
)
def test_what_the_data_do_not_allow_is_refused_before_training(store, tmp_path, capsys, wrong, right, said):
    run = tmp_path / "run"
    assert trained(store, run, *wrong) == 1
    assert said in only_error(capsys.readouterr().err)
    assert not (run / "checkpoints" / "last.ckpt").exists()
    assert trained(store, run, *right) == 0
    assert (run / "checkpoints" / "best.ckpt").is_file()


def test_without_validation_the_training_loss_says_what_is_best(store, tmp_path, capsys):
    for number, more in enumerate((["+trainer.val_check_interval=1"], ["trainer.check_val_every_n_epoch=5"])):
        run = tmp_path / f"run{number}"
        assert trained(store, run, "trainer.limit_val_batches=0", *more) == 0
        assert "trainer.limit_val_batches=0: the best checkpoint and early stopping follow" in capsys.readouterr().out
        summary = json.loads((run / "summary.json").read_text())
        assert summary["monitor"] == "train/loss"
        assert "val/loss" not in summary["metrics"]


def test_time_that_is_over_before_the_first_validation_is_one_line_and_more_time_goes_on(
    store, tmp_path, capsys, monkeypatch
):
    run = tmp_path / "run"
    monkeypatch.setattr("pytorch_lightning.callbacks.Timer.time_elapsed", lambda *_: 61.0)  # of the 60 it has
    assert trained(store, run, "trainer.max_epochs=3", "+trainer.max_time=00:00:01:00") == 1
    assert "training ended before a validation could say which weights are the best" in only_error(
        capsys.readouterr().err
    )
    assert not (run / "summary.json").exists()
    assert trained(store, run, "trainer.max_epochs=3", "+trainer.max_time=00:00:02:00") == 0
    assert (run / "summary.json").is_file()
