import json
from pathlib import Path

import pytest

from fbm.data.clips import ClipDataset
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import StoredVideo
from fbm.evaluation.probing.factors import groups, labels, read_factors
from fbm.utils.errors import UserError
from tests.tiny import make_store


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FrameStore:
    return FrameStore(make_store(tmp_path_factory.mktemp("factors")))


@pytest.fixture
def root(store, tmp_path) -> Path:
    told = {
        video.name: {"motion": video.action, "object": f"o{video.group % 2}", "scene": f"s{video.group}", "group": 1}
        for video in store.usable
    }
    (tmp_path / "factors.json").write_text(json.dumps({"settings": {}, "videos": told}))
    return Path(tmp_path)


def change(root: Path, video: str, **values: str | None) -> None:
    content = json.loads((root / "factors.json").read_text())
    for name, value in values.items():
        if value is None:
            del content["videos"][video][name]
        else:
            content["videos"][video][name] = value
    (root / "factors.json").write_text(json.dumps(content))


def test_the_demos_three_factors(store, root):
    change(root, "Circle/v_Circle_g03_c01", object="drop")
    factors = read_factors(root, store.usable)
    assert list(factors) == ["motion", "object", "scene"]
    assert {name: values["Circle/v_Circle_g03_c01"] for name, values in factors.items()} == {
        "motion": "Circle", "object": "drop", "scene": "s3",
    }  # fmt: skip


@pytest.mark.parametrize("where", [None, "elsewhere", "."])
def test_without_the_file_there_is_the_class_alone(store, tmp_path, where):
    factors = read_factors(where and tmp_path / where, store.usable)
    assert list(factors) == ["class"]
    assert factors["class"]["Drift/v_Drift_g01_c02"] == "Drift"


def test_the_demo_data_say_every_video(demo_root):
    names = [str(path.relative_to(demo_root / "UCF-101").with_suffix("")) for path in demo_root.glob("UCF-101/*/*.avi")]
    videos = [StoredVideo(name, name.split("/")[0], 1, "train", "ok") for name in names]
    factors = read_factors(demo_root, videos)
    assert list(factors) == ["motion", "object", "scene"]
    assert factors["motion"] == {video.name: video.action for video in videos}
    assert len(names) == len(factors["scene"]) == 30


@pytest.mark.parametrize("text", ["{", "[]", '{"settings": {}}', '{"videos": 3}', '{"videos": {"a": 1}}', "\xff"])
def test_a_damaged_file_is_named(store, tmp_path, text):
    (tmp_path / "factors.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match=r"factors\.json") as error:
        read_factors(tmp_path, store.usable)
    assert "\n" not in str(error.value)


def test_a_video_without_a_factor_is_named(store, root):
    change(root, "Bounce/v_Bounce_g02_c01", scene=None)
    with pytest.raises(UserError, match=r"the scene of Bounce/v_Bounce_g02_c01"):
        read_factors(root, store.usable)


def test_answers_and_groups_of_clips(store, root):
    clips = ClipDataset(store, "test", 32, 16, seed=0)
    factors = read_factors(root, store.usable)
    assert labels(clips, factors["motion"]).tolist() == ["Bounce"] * 4 + ["Circle"] * 4 + ["Drift"] * 4
    assert labels(clips, factors["object"]).tolist() == ["o1", "o1", "o0", "o0"] * 3
    # Group 1 of one class is not group 1 of another.
    assert groups(clips).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
