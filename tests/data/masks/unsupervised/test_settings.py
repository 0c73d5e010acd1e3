from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from fbm.config.compose import compose
from fbm.config.instantiate import build, check
from fbm.data.masks.boxes import tight_boxes
from fbm.data.masks.source import DecodedVideo
from fbm.data.masks.unsupervised import MotionMasks, Settings, UnsupervisedMasks
from fbm.utils.errors import UserError
from tests.data.masks.moving import moving_square


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"distances": ()}, r"distances=\[\]"),
        ({"distances": (2,)}, r"distances=\[2\]: it should be 1"),
        ({"distances": (1, 3, 3)}, "growing"),
        ({"cut": 1.5}, "cut=1.5: it should be from 0 to 1"),
        ({"noise": 0}, "noise=0"),
        ({"region": 1}, "region=1"),
        ({"rounds": -1}, "rounds=-1"),
        ({"area": 0}, "area=0"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(changed, said):
    with pytest.raises(UserError, match=said):
        Settings(**changed)


def test_the_config_holds_every_setting_at_its_default():
    source = compose(["masks=unsupervised"], name="prepare").masks.source
    assert set(source) - {"_target_"} == {field.name for field in fields(Settings)}
    assert build(source).masks_for("any") == MotionMasks(Settings())


def test_a_config_with_a_wrong_value_is_one_line():
    config = compose(["masks=unsupervised", "masks.source.rounds=few"], name="prepare")
    with pytest.raises(UserError, match="rounds='few'"):
        check(config, ("masks.source",))
    with pytest.raises(UserError, match="cut=2"):
        build(compose(["masks=unsupervised", "masks.source.cut=2"], name="prepare").masks.source)


def test_every_setting_is_in_the_fingerprint():
    track = UnsupervisedMasks().masks_for("a")
    assert track.fingerprint == UnsupervisedMasks().masks_for("b").fingerprint
    other = {field.name: getattr(Settings(), field.name) for field in fields(Settings)}
    for name, value in other.items():
        changed: Any = {"distances": (1, 2), "boxes": True}.get(name) or (value * 0.5 if value <= 1 else value + 1)
        assert MotionMasks(replace(Settings(), **{name: changed})).fingerprint != track.fingerprint


def test_boxes_are_other_masks_and_without_them_stores_of_before_stay_valid():
    boxes = UnsupervisedMasks(boxes=True).masks_for("any")
    without = UnsupervisedMasks().masks_for("any")
    assert without.fingerprint == "163e4dc121e3c830"
    assert boxes.fingerprint != without.fingerprint
    frames, _ = moving_square()
    video = DecodedVideo("any", frames, frames.shape[2], frames.shape[1])
    masks, sure = without.rated(video)
    found, also_sure = boxes.rated(video)
    assert masks.any()
    assert np.array_equal(found, tight_boxes(masks))
    assert also_sure == sure
