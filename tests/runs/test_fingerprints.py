import pkgutil

import pytest
from omegaconf import OmegaConf

from fbm.config.compose import compose, resolved
from fbm.config.keys import flatten
from fbm.config.renamed import FORMER
from fbm.runs.fingerprints import fingerprint, identify, result_fingerprints

pytestmark = pytest.mark.slow


def prints(*overrides: str, pretraining: str | None = None) -> dict[str, str]:
    return result_fingerprints(compose(list(overrides)), pretraining)


@pytest.mark.parametrize(
    "override",
    [
        *(
            "seed=3",
            "data.root=/else",
            "data.store=/else",
            "data.annotations=/else",
            "data.num_workers=4",
            "logger=csv",
        ),
        *("name=x", "study=x", "run_dir=/else", "overwrite=true", "test=true", "callbacks.progress=null"),
        *("pretrained.ours=x", "+data.source.extra=1", "data.generate=null"),
        *("resume=none", "resume=outputs/x", "callbacks.last.minutes=1"),
        *("compile=true", "activation_checkpointing=true", "+optim.fused=true", "trainer.benchmark=true"),
        *("callbacks.gallery=null", "callbacks.confusion=null", "callbacks.throughput=null", "callbacks.finite=null"),
        *("trainer.log_every_n_steps=1", "trainer.enable_model_summary=true", "+trainer.profiler=simple"),
    ],
)
def test_places_seeds_and_loggers_decide_no_result(override):
    assert prints(override) == prints()


@pytest.mark.parametrize(
    "override",
    [
        *("optim.lr=1e-3", "encoder.width=4", "data.size=32", "data.label_fraction=0.5", "data.batch_size=4"),
        *("trainer.max_epochs=2", "task=autoencode", "schedule=halving", "data.split=2", "masks=none"),
        *("trainer.precision=bf16-mixed", "float32_matmul=high"),
        *("augment=crop", "augment=field", "input=residual", "base_batch=256", "callbacks=ema"),
    ],
)
def test_settings_decide_results(override):
    changed, plain = prints(override), prints()
    assert changed["config"] != plain["config"]
    assert changed["comparison"] != plain["comparison"]


def test_seeds_with_the_official_split_of_their_number_are_averaged():
    """A study over splits has `data.split=${seed}`: its rows are means over splits, each with a store of its own."""
    splits = ("data=ucf101", "data.split=${seed}", "data.store=stores/split${seed}", "task=classify")
    assert prints(*splits, "seed=1") == prints(*splits, "seed=2")
    assert prints(*splits, "seed=1") != prints("data=ucf101", "data.split=1", "task=classify", "seed=1")


def test_a_frozen_config_has_them_too():
    config = compose()
    OmegaConf.set_readonly(config, True)
    assert result_fingerprints(config, None) == prints()
    assert OmegaConf.is_readonly(config)


def test_initialisations_are_compared_with_each_other():
    random, ours = prints("task=classify"), prints("task=classify", "init=ours", "init.checkpoint=a", pretraining="p")
    assert random["comparison"] == ours["comparison"]
    assert random["config"] != ours["config"]


def test_another_pretraining_is_another_config():
    one, other = (prints("init=ours", "init.checkpoint=a", pretraining=made) for made in ("p", "q"))
    assert one["config"] != other["config"]
    assert one["comparison"] == other["comparison"]
    assert one == prints("init=ours", "init.checkpoint=elsewhere", pretraining="p")


def identity(*overrides: str) -> str:
    return identify(resolved(compose(list(overrides))))


HOW = ("resume=none", "resume=auto", "callbacks.last.minutes=1", "callbacks.last=null", "compile=true")


@pytest.mark.parametrize(
    "override", [*HOW, "activation_checkpointing=true", "+optim.fused=true", "trainer.benchmark=true"]
)
def test_how_a_run_is_resumed_saved_and_made_fast_makes_it_no_other_run(override):
    assert identity(override) == identity()


def test_what_is_not_said_of_products_is_as_good_as_no_such_setting():
    assert identity("float32_matmul=null") == identity() != identity("float32_matmul=high")
    assert fingerprint({"float32_matmul": None, "seed": None}) == fingerprint({"seed": None}) != fingerprint({})


def test_a_run_that_goes_on_from_another_one_is_another_run():
    assert len({identity(), identity("resume=outputs/x"), identity("resume=outputs/y")}) == 3


def test_what_it_goes_on_from_decides_the_result_and_not_where_that_was():
    source = {"checkpoint": "a", "place": "epoch 3", "config": "p", "comparison": "q"}

    def made(**more: str) -> dict[str, str]:
        return result_fingerprints(compose(["resume=a"]), None, {**source, **more})

    plain, one = prints(), made()
    assert one == made(checkpoint="b")
    assert (one["config"] != plain["config"], one["comparison"] != plain["comparison"]) == (True, True)
    farther, another = made(place="epoch 4"), made(config="r")
    assert len({found["config"] for found in (one, farther, another)}) == 3
    assert farther["comparison"] != one["comparison"] == another["comparison"]


def test_fingerprints_leave_the_config_as_it_was():
    config = compose(["seed=3"])
    before = OmegaConf.to_yaml(config)
    result_fingerprints(config, None)
    assert OmegaConf.to_yaml(config) == before


def test_left_out_keys_take_what_is_in_them_along():
    content = {"a": {"b": 1, "c": 2}, "ab": 3}
    assert fingerprint(content, ("a",)) == fingerprint({"ab": 3})
    assert fingerprint(content, ("a.b",)) == fingerprint({"a": {"c": 2}, "ab": 3}) != fingerprint(content)
    assert fingerprint({"x": 1, "y": 2}) == fingerprint({"y": 2, "x": 1})


def test_flatten():
    assert flatten({"a": {"b": 1, "c": {}}, "d": [1, {"e": 2}]}) == {"a.b": 1, "a.c": {}, "d": [1, {"e": 2}]}


def test_runs_from_before_the_weights_of_the_losses_were_settings_are_the_same_runs():
    content = resolved(compose(["task=disentangle"]))
    earlier = {**content, "task": {key: value for key, value in content["task"].items() if key != "weights"}}
    assert identify(content) == identify(earlier)
    weighted = resolved(compose(["task=disentangle", "task.weights.features=0.5"]))
    assert identify(weighted) != identify(content)
    assert prints("task=disentangle", "task.weights.features=0.5")["config"] != prints("task=disentangle")["config"]


@pytest.mark.parametrize(("key", "other"), [("reverse", "false"), ("frame_interval", "2")])
def test_runs_from_before_there_was_a_setting_of_clips_are_the_same_runs(key, other):
    content = resolved(compose([]))
    module = {name: value for name, value in content["data"]["module"].items() if name != key}
    data = {name: value for name, value in content["data"].items() if name != key} | {"module": module}
    assert identify(content) == identify({**content, "data": data})
    assert identify(resolved(compose([f"data.{key}={other}"]))) != identify(content)


def test_runs_from_before_test_views_were_settings_are_the_same_runs():
    content = resolved(compose(["task=classify"]))
    earlier = {key: value for key, value in content.items() if key != "test_views"}
    earlier["task"] = {key: value for key, value in content["task"].items() if key != "crops"}
    module = {key: value for key, value in content["data"]["module"].items() if key != "test_clips"}
    earlier["data"] = {**content["data"], "module": module}
    assert identify(content) == identify(earlier)
    for setting in ("test_views.clips=10", "test_views.crops=3"):
        assert identify(resolved(compose(["task=classify", setting]))) != identify(content)
        assert prints("task=classify", setting)["comparison"] != prints("task=classify")["comparison"]


def test_a_linear_probe_is_a_classification_with_a_frozen_encoder():
    assert prints("task=linear") == prints("task=classify", "task.encoder_gradient=0") != prints("task=classify")


@pytest.mark.parametrize("now", FORMER)
def test_a_class_that_was_renamed_leaves_the_fingerprint_as_it_was(now):
    assert pkgutil.resolve_name(now)
    assert fingerprint({"a": {"_target_": now}}) == fingerprint({"a": {"_target_": FORMER[now]}})
    assert fingerprint({"a": {"_target_": now}}) != fingerprint({"a": {"_target_": "other.Thing"}})
