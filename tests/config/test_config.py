import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from omegaconf import OmegaConf

from fbm.config.compose import compose, conf_dir, resolved
from fbm.config.instantiate import build, check, check_run, check_value
from fbm.utils.errors import UserError

HERE = __name__


@dataclass
class Thing:
    """What the nodes below name."""

    size: int
    share: float = 0.5
    kind: Literal["a", "b"] = "a"
    place: Path | None = None
    flag: bool = False
    inner: Any = None


def refuse(size: int) -> None:
    raise ValueError(f"size {size} is odd")


def node(**values: Any) -> Any:
    return {"_target_": f"{HERE}.Thing", **values}


def refused(*overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        check(compose(list(overrides)))
    return str(caught.value)


# --- building


def test_build_makes_what_the_node_names():
    assert build(OmegaConf.create(node(size=3, kind="b"))) == Thing(3, kind="b")


def test_offered_values_reach_only_targets_that_name_them():
    assert build(node(size=3), share=0.25, unknown=1) == Thing(3, share=0.25)


def test_nodes_inside_are_made_first_and_without_what_is_offered():
    made = build(node(size=1, inner=[node(size=2), {"deep": node(size=3)}]), share=0.25)
    assert made == Thing(1, share=0.25, inner=[Thing(2), {"deep": Thing(3)}])


def test_a_partial_waits_for_the_rest():
    assert build({**node(share=0.1), "_partial_": True})(4) == Thing(4, share=0.1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (node(share=0.1), "Thing: missing a required argument: 'size'"),
        ({"width": 4}, "no _target_"),
        (["a"], "no _target_"),
        ({"_target_": f"{HERE}.refuse", "size": 3}, "refuse: size 3 is odd"),
    ],
)
def test_what_cannot_be_built_is_the_users_to_mend(content, said):
    with pytest.raises(UserError, match=said):
        build(content)


# --- checking


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("data.batch_size=abc", "data.batch_size='abc'"),
        ("data.num_workers=2.5", "data.num_workers=2.5"),
        ("trainer.max_epochs=x", "trainer.max_epochs='x'"),
        ("optim.lr=fast", "optim.lr='fast'"),
        ("data.label_fraction=most", "data.label_fraction='most'"),
        ("data.classes=[1]", "data.classes=[1]"),
        ("data.classes=annotate", "data.classes='annotate'"),
        ("data.split=4", "data.split=4"),
        ("data.size=null", "data.size=None"),
        ("encoder.width=wide", "encoder.width='wide'"),
        ("callbacks.gallery.every=often", "callbacks.gallery.every='often'"),
        ("run_dir=3", "run_dir=3"),
    ],
)
def test_a_value_of_a_wrong_type_names_the_key_that_the_user_sets(override, said):
    assert refused(override).startswith(f"{said}: it should be ")


def test_a_word_that_only_looks_like_a_number_or_a_switch_is_refused():
    """The target would get the word: `no` would count as true."""
    assert "callbacks.checkpoint.enable_version_counter='no': it should be a valid boolean" in refused(
        "callbacks.checkpoint.enable_version_counter=no"
    )
    assert refused("data.batch_size='16'".replace("'", '"')).startswith("data.batch_size='16'")
    check(compose(["callbacks.checkpoint.enable_version_counter=false", "data.batch_size=16"]))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+encoder.widht=3", "encoder.widht: C3DEncoder takes no 'widht'; did you mean 'width'?"),
        ("+trainer.max_epoch=3", "trainer.max_epoch: Trainer takes no 'max_epoch'; did you mean 'max_epochs'?"),
        (
            "+callbacks.gallery.exmples=3",
            "callbacks.gallery.exmples: Gallery takes no 'exmples'; did you mean 'examples'?",
        ),
        ("+data.source.rot=3", "data.source.rot: UCF101 takes no 'rot'; did you mean 'root'?"),
        ("+optim.betas2=3", "optim.betas2: Adam takes no 'betas2'; did you mean 'betas'?"),
    ],
)
def test_an_unknown_key_is_refused_with_the_closest(override, said):
    assert refused(override) == said


def test_a_target_that_is_not_there_says_so_once(caplog):
    said = refused("encoder._target_=fbm.models.encoder.C4D")
    assert said.startswith("encoder._target_=fbm.models.encoder.C4D cannot be imported")
    assert not caplog.records


def test_only_the_asked_nodes_are_looked_at():
    config = compose(["+encoder.widht=3", "data.split=4"])
    check(config, ("masks.source",))
    with pytest.raises(UserError, match="split"):
        check(config, ("data.source", "masks.source"))
    with pytest.raises(UserError, match="widht"):
        check(config, ("encoder",))


@pytest.mark.parametrize(
    ("value", "hint"),
    [(3, float), ("x", Path), ("a", Literal["a", 1]), (None, int | None), ([1], list[int]), ("2", str)],
)
def test_values_that_fit(value, hint):
    check_value("key", value, hint)


@pytest.mark.parametrize(
    ("value", "hint"), [("3", int), ("3.5", float), ("yes", bool), (1.5, int), ("c", Literal["a"])]
)
def test_values_that_do_not_fit(value, hint):
    with pytest.raises(UserError, match=r"^key="):
        check_value("key", value, hint)


def test_values_not_given_are_named():
    with pytest.raises(UserError, match=r"not given: a\.b, c \(on the command line: a\.b=VALUE\)"):
        resolved(OmegaConf.create({"a": {"b": "???"}, "c": "???", "d": 1}))


def test_interpolations_that_lead_nowhere_are_named():
    with pytest.raises(UserError, match="nowhere"):
        resolved(OmegaConf.create({"a": "${nowhere}"}))


def test_configs_are_found_in_a_checkout():
    assert (conf_dir() / "train.yaml").is_file()


@pytest.mark.parametrize(("encoder", "norm"), [("c3d", "batch"), ("c3d_small", "group")])
def test_the_papers_encoder_has_batch_norm_and_the_small_one_group_norm(encoder, norm):
    config = compose([f"encoder={encoder}"])
    assert (config.encoder.norm, config.encoder.mapping_norm) == (norm, norm)
    assert (config.task.decoder_norm, config.task.motion_norm, config.task.output_init) == (None, None, "xavier")


def test_a_norm_that_there_is_not_is_named():
    with pytest.raises(UserError, match=r"encoder\.norm='layer': it should be 'batch' or 'group'"):
        check_run(compose(["encoder.norm=layer"]))


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("fbm.callbacks.Gallery", "fbm.training.callbacks.Gallery"),
        ("fbm.masks.boxes.BoxMasks", "fbm.data.masks.boxes.BoxMasks"),
        ("fbm.losses.LossWeights", "fbm.models.losses.LossWeights"),
    ],
)
def test_a_target_of_an_earlier_fbm_is_told_its_name_of_now(old, now):
    with pytest.raises(UserError, match=rf"^mine\._target_={re.escape(old)}: it is called {re.escape(now)} now$"):
        check(OmegaConf.create({"mine": {"_target_": old}}))
    assert pkgutil.resolve_name(now)
