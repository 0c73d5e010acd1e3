"""What a store is made of is said to `fbm prepare` alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fbm.config.compose import compose, resolved
from fbm.data.store.manifest import MANIFEST, Manifest, StoredVideo, read_manifest
from fbm.data.store.settings import check_keeps_classes, read_store_settings
from fbm.utils.errors import UserError

SELECTION: dict[str, Any] = {"classes": ["Archery", "Biking"], "split": 2, "validation": 0.25, "validation_seed": 7}


def made(store: Path, **more: Any) -> Path:
    rows = [StoredVideo(f"{name}/v", name, 1, "train", "ok") for name in SELECTION["classes"]]
    manifest = Manifest(48, "unsupervised", SELECTION, rows, settings={"name": "mine", "skip_broken": True})
    store.mkdir(parents=True)
    (store / MANIFEST).write_text(replace(manifest, **more).to_json())
    return store


def test_the_first_line_of_a_manifest_says_what_a_store_is_made_of(tmp_path):
    store = made(tmp_path / "store", frames="jpeg", quality=80)
    kept = {"frames": "jpeg", "quality": 80, "decoder": "pyav"}
    expected = {"size": 48, "masks": "unsupervised", **kept, **SELECTION, "name": "mine", "skip_broken": True}
    assert read_store_settings(store) == expected
    manifest = read_manifest(store)
    found = {name: getattr(manifest, name) for name in ("size", "masks", *kept)}
    assert {**found, **manifest.selection, **manifest.settings} == expected
    config = resolved(compose([f"data.store={store}"]))["data"]
    assert (config["module"]["frames"], config["module"]["quality"]) == ("jpeg", 80)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"format": 2, "videos": ['])
def test_a_store_that_is_not_there_or_damaged_says_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    assert read_store_settings(tmp_path) == {}
    config = resolved(compose([f"data.store={tmp_path}"]))
    assert (config["data"]["size"], config["data"]["name"], config["masks"]["name"]) == (64, "demo", "boxes")


@pytest.mark.parametrize("option", ["demo", "ucf101", "ucf24", "folder"])
def test_a_run_is_told_nothing_but_the_store(tmp_path, option):
    config = resolved(compose([f"data={option}", f"data.store={made(tmp_path / 'store')}"]))
    module = config["data"]["module"]
    assert (module["size"], module["masks"], module["skip_broken"]) == (48, "unsupervised", True)
    assert {key: module["source"][key] for key in SELECTION} == SELECTION
    assert (config["study"], config["encoder"]["size"]) == ("mine", 48)
    assert config["run_dir"].startswith("outputs/mine/")


def test_what_is_said_is_the_runs_own(tmp_path):
    given = ["data.size=64", "masks=boxes", "data.classes=[Archery]", "data.name=other", "data.validation=0.5"]
    config = resolved(compose([f"data.store={made(tmp_path / 'store')}", *given]))
    assert config["data"]["module"]["masks"] == "boxes"
    assert config["data"]["source"]["classes"] == ["Archery"]
    assert (config["data"]["size"], config["data"]["validation"], config["study"]) == (64, 0.5, "other")
    assert config["data"]["split"] == 2


def test_the_usual_place_is_read_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made(Path("stores/demo"))
    config = resolved(compose())
    assert (config["data"]["name"], config["data"]["size"], config["masks"]["name"]) == ("demo", 48, "unsupervised")


def test_a_preparation_takes_what_its_options_say(tmp_path):
    store = made(tmp_path / "store")
    config = resolved(compose(["data=ucf24", f"data.store={store}"], name="prepare"))["data"]
    assert (config["name"], config["size"], config["classes"], config["validation"]) == (
        *("ucf24", 128, "annotated"),
        "paper",
    )


def test_classes_leave_a_store_only_on_demand(tmp_path):
    store = made(tmp_path / "store")
    videos = read_manifest(store).videos
    check_keeps_classes(store, videos)  # type: ignore[arg-type]  # they have what is looked at
    with pytest.raises(UserError, match=r"1 of the 2 classes in the store .* would leave it \(Biking\): name another"):
        check_keeps_classes(store, videos[:1])  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"2 of the 2 classes .* \(Archery, Biking\)"):
        check_keeps_classes(store, [])
    check_keeps_classes(tmp_path / "new", [])
