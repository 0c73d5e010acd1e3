"""`fbm analyse` on runs of a tiny store, whose objects and scenes a file beside it says."""

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import torch

from fbm.evaluation.probing import analyse
from fbm.evaluation.probing.factors import FACTORS
from fbm.evaluation.probing.runs import untrained_encoder
from fbm.evaluation.probing.settings import Settings
from fbm.evaluation.scoring.table import OF_PARTS
from fbm.evaluation.trained_run import TrainedRun
from fbm.runs.checkpoints import PREFIX, read_checkpoint
from fbm.tasks.task import PretrainingTask
from tests.tiny import fbm, make_store, only_error, settings

PARTS = ("all", "motion", "foreground", "background")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with `store`, `data/factors.json` and the study `outputs/demo`; look, do not touch."""
    top: Path = tmp_path_factory.mktemp("analyse")
    store = make_store(top / "store")
    names = [row["name"] for row in json.loads((store / "manifest.json").read_text())["videos"]]
    told = {
        name: {"motion": name.split("/")[0], "object": f"o{number % 2}", "scene": f"s{number // 2 % 3}"}
        for number, name in enumerate(names)
    }
    (top / "data").mkdir()
    (top / "data" / "factors.json").write_text(json.dumps({"settings": {}, "videos": told}))
    small = settings(store, f"data.root={top / 'data'}", "callbacks.gallery=null")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        assert fbm("train", *small, "task=disentangle_wide", "name=ours") == 0
        assert fbm("train", *small, "task=autoencode", "name=auto", "seed=3") == 0
        assert fbm("train", *small, "task=classify", "name=class") == 0
    return top


@pytest.fixture(scope="module")
def analysed(trained, tmp_path_factory) -> Path:
    """The study, analysed; look, do not touch."""
    study = Path(shutil.copytree(trained / "outputs" / "demo", tmp_path_factory.mktemp("analysed") / "demo"))
    assert fbm("analyse", str(study), "--resamples", "100") == 0
    return study


@pytest.fixture
def study(analysed, tmp_path) -> Path:
    """The analysed study, to be changed."""
    return Path(shutil.copytree(analysed, tmp_path / "demo"))


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A run that is not analysed, to be broken."""
    return Path(shutil.copytree(trained / "outputs" / "demo" / "ours", tmp_path / "ours"))


def probes(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "probes.json").read_text())
    return content


def test_every_part_is_probed_for_every_factor(analysed):
    found = probes(analysed / "ours")
    assert [(one["part"], one["factor"]) for one in found["probes"]] == [
        (part, factor) for part in PARTS for factor in ("motion", "object", "scene")
    ]
    for one in (*found["probes"], *found["control"]):
        assert list(one) == [
            *("part", "factor", "accuracy", "low", "high", "chance", "classes", "train_clips", "test_clips"),
        ]
        assert 0 <= one["low"] <= one["accuracy"] <= one["high"] <= 1
        assert (one["train_clips"], one["test_clips"]) == (18, 12)
        assert one["classes"] == (2 if one["factor"] == "object" else 3)
    assert (found["run"], found["task"], found["split"]) == ("ours", "disentangle", "test")
    assert found["interval"] == "95 % percentile bootstrap over test groups, 100 resamples"
    assert found["data"] == json.loads((analysed / "ours" / "summary.json").read_text())["fingerprints"]["data"]
    assert list(found["effective_rank"]) == list(PARTS)
    assert min(found["effective_rank"].values()) >= 1
    assert found["control_effective_rank"] != pytest.approx(found["effective_rank"]["all"])  # another encoder's


def test_every_score_is_there_with_its_interval_its_control_and_its_null(analysed):
    found = probes(analysed / "ours")["scores"]
    by_kind = {kind: [one["name"] for one in found if one["kind"] == kind] for kind in dict.fromkeys(kinds(found))}
    assert by_kind == {
        "table": ["informativeness", *OF_PARTS],
        "similarity": ["motion, foreground", "motion, background", "foreground, background"],
        "dynamics": [*PARTS[1:], "all"],
        "swaps": [f"{f}, {how}" for f in FACTORS for how in ("swapped", "not swapped", "real clips")],
    }
    for one in found:
        if one["name"] in ("leakage",) and one["value"] is None:  # where the right parts hold nothing
            continue
        low, value, high = (one["value"][end] for end in ("low", "value", "high"))
        assert -1 <= low <= high, one
        assert one["kind"] != "swaps" or low <= value <= high, one  # others are skewed in so few clips
        assert (one["untrained"] is None) == ("real clips" in one["name"]) or one["name"] == "leakage", one
        null = (one["kind"] in ("similarity", "dynamics") and one["name"] != "all") or one["name"].endswith(", swapped")
        if null or one["name"] in set(OF_PARTS) - {"leakage"}:
            assert one["permuted"] is not None, one
    assert [one["chance"] for one in found if one["kind"] == "swaps"].count(None) == 0


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [one["kind"] for one in found]


def test_training_videos_are_retrieved(analysed, capsys):
    """18 training videos: ranks of 20 and more are left out. The classes are colours."""
    found = probes(analysed / "ours")
    for kind in ("retrieval", "control_retrieval"):
        assert [one["k"] for one in found[kind]] == [1, 5, 10]
        assert [(one["train_videos"], one["test_videos"]) for one in found[kind]] == [(18, 12)] * 3
        assert [one["recall"] for one in found[kind]] == sorted(one["recall"] for one in found[kind])
        assert all(0 <= one["low"] <= one["recall"] <= one["high"] <= 1 for one in found[kind])
    assert found["retrieval"][0]["recall"] > 0.8
    assert fbm("analyse", str(analysed / "ours"), "--resamples", "100") == 0
    assert "R@10" in capsys.readouterr().out


def test_a_class_that_is_a_colour_is_told(analysed):
    """The store's classes are colours, so any encoder's features tell them, and the probes must find that."""
    for name in ("ours", "auto"):
        found = probes(analysed / name)
        assert found["probes"][0]["factor"] == found["control"][0]["factor"] == "motion"
        assert found["probes"][0]["accuracy"] > 0.8
        assert found["control"][0]["accuracy"] > 0.8
        assert found["probes"][0]["chance"] == pytest.approx(1 / 3)


def test_an_autoencoder_has_no_parts_and_no_swaps(analysed):
    found = probes(analysed / "auto")
    assert {one["part"] for one in found["probes"]} == {"all"}
    assert [(one["kind"], one["name"]) for one in found["scores"]] == [
        ("table", "informativeness"),
        ("dynamics", "all"),
    ]
    assert found["pictures"] == []
    assert not (analysed / "auto" / "gallery").exists()


def test_classification_runs_of_a_study_are_left_alone(analysed):
    assert not (analysed / "class" / "probes.json").exists()


def test_swaps_are_drawn(analysed):
    assert probes(analysed / "ours")["pictures"] == ["gallery/swap-motion.png", "gallery/swap-background.png"]
    sizes = {
        matplotlib.image.imread(analysed / "ours" / "gallery" / f"swap-{n}.png").shape for n in ("motion", "background")
    }
    assert len(sizes) == 1
    assert min(sizes.pop()[:2]) > 500


def test_the_control_is_where_the_training_began(trained):
    run = TrainedRun(trained / "outputs" / "demo" / "auto", "cpu")
    state = torch.get_rng_state()
    encoder = untrained_encoder(run)
    assert torch.equal(torch.get_rng_state(), state)
    trained_weights = run.task(PretrainingTask, "").encoder.state_dict()
    weights = read_checkpoint(run.checkpoint)["state_dict"]
    assert all(torch.equal(value, weights[PREFIX + name]) for name, value in trained_weights.items())
    torch.manual_seed(3)
    again = type(encoder)(encoder.width, encoder.frames, encoder.size, encoder.norm, encoder.mapping_norm).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in encoder.state_dict().items())
    assert not torch.equal(encoder.state_dict()["mapping.0.weight"], trained_weights["mapping.0.weight"])


def test_the_table_is_printed(study, capsys):
    assert fbm("analyse", str(study), "--resamples", "100") == 0
    shown = capsys.readouterr().out
    for word in (
        "motion",
        "object",
        "scene",
        "background",
        "untrained",
        "chance",
        "diagonality",
        "Effective rank",
        "CKA",
        "judge: motion",
    ):
        assert word in shown
    assert shown.count("made before") == 2


# --- what was done is not done again


def done(paths: list[Path], *more: Any) -> list[bool]:
    return [run.fresh for run in analyse(paths, Settings(100, *more))]


def test_what_was_done_is_not_done_again(study):
    before = (study / "ours" / "probes.json").stat().st_mtime_ns
    assert done([study, study / "ours"]) == [False, False]
    assert (study / "ours" / "probes.json").stat().st_mtime_ns == before


def test_the_same_again_is_the_same(study):
    before = (study / "ours" / "probes.json").read_text()
    assert done([study / "ours"], 0, None, True) == [True]
    assert (study / "ours" / "probes.json").read_text() == before


def lose_a_picture(run: Path) -> None:
    (run / "gallery" / "swap-motion.png").unlink()


def damage(run: Path) -> None:
    (run / "probes.json").write_text('{"run": ')


def train_on(run: Path) -> None:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["state_dict"][f"{PREFIX}mapping.0.bias"] += 1
    torch.save(content, run / "checkpoints" / "best.ckpt")


def earlier_format(run: Path) -> None:
    """As an earlier fbm wrote it: no scores, the diagonality beside them."""
    content = probes(run)
    del content["scores"]
    content["diagonality"] = {"value": 0.5, "low": 0.25, "high": 0.75}
    content["made_of"]["format"] = 1
    (run / "probes.json").write_text(json.dumps(content))


@pytest.mark.parametrize("change", [lose_a_picture, damage, train_on, earlier_format])
def test_what_no_longer_holds_is_done_again(study, change):
    change(study / "ours")
    assert done([study / "ours"]) == [True]
    assert (study / "ours" / "gallery" / "swap-motion.png").is_file()
    assert len(probes(study / "ours")["probes"]) == 12
    assert len(probes(study / "ours")["scores"]) > 20


def test_other_settings_are_done_anew(study):
    assert done([study / "auto"], 1) == [True]
    assert done([study / "auto"], 1) == [False]


# --- data that is gone, or other than it was


def forget_data(run: Path) -> None:
    """As where only the store was kept."""
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["fbm"]["config"]["data"]["root"] = "no/such/data"
    torch.save(content, run / "checkpoints" / "best.ckpt")


def test_without_the_data_set_the_class_alone_is_probed(run, capsys):
    forget_data(run)
    assert fbm("analyse", str(run), "--resamples", "100") == 0
    shown = capsys.readouterr().out
    assert "no/such/data" in shown.splitlines()[0]
    assert [one["factor"] for one in probes(run)["probes"]] == ["class"] * 4
    found = [(one["kind"], one["name"]) for one in probes(run)["scores"]]
    assert found[0] == ("table", "informativeness")
    assert kinds(probes(run)["scores"]) == ["table"] + ["similarity"] * 3 + ["dynamics"] * 4


def test_what_was_found_while_the_data_set_was_there_is_kept(study, trained):
    shutil.move(trained / "data", trained / "away")
    try:
        assert done([study / "ours"]) == [False]
    finally:
        shutil.move(trained / "away", trained / "data")
    assert len(probes(study / "ours")["probes"]) == 12


def test_a_store_elsewhere_is_named(run, trained, tmp_path, capsys):
    moved = shutil.copytree(trained / "store", tmp_path / "moved")
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["fbm"]["config"]["data"]["store"] = "no/such/store"
    torch.save(content, run / "checkpoints" / "best.ckpt")
    assert fbm("analyse", str(run)) == 1
    assert "--store PATH" in only_error(capsys.readouterr().err)
    assert fbm("analyse", str(run), "--resamples", "100", "--store", str(moved)) == 0


def test_a_store_of_other_data_is_refused(run, tmp_path, capsys):
    other = make_store(tmp_path / "other", masks=False)
    assert fbm("analyse", str(run), "--store", str(other)) == 1
    error = only_error(capsys.readouterr().err)
    assert "other data" in error
    assert str(run) in error
    assert not (run / "probes.json").exists()


# --- bad input: one line each


def unfinish(run: Path) -> str:
    (run / "summary.json").unlink()
    return "not finished"


def empty(run: Path) -> str:
    shutil.rmtree(run)
    run.mkdir()
    return "no finished pretraining run in it"


def remove(run: Path) -> str:
    shutil.rmtree(run)
    return "no such folder"


def break_summary(run: Path) -> str:
    (run / "summary.json").write_text('{"task": "disentangle"}')
    return "summary.json: damaged summary"


def break_checkpoint(run: Path) -> str:
    (run / "checkpoints" / "best.ckpt").write_bytes(b"no checkpoint")
    return "best.ckpt"


def lose_config(run: Path) -> str:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    del content["fbm"]["config"]
    torch.save(content, run / "checkpoints" / "best.ckpt")
    return "carries no config"


def other_network(run: Path) -> str:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["fbm"]["config"]["task"]["decoder_width"] = 3
    torch.save(content, run / "checkpoints" / "best.ckpt")
    return "cannot be made"


def unknown_part(run: Path) -> str:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["fbm"]["config"]["task"]["discriminator"]["_target_"] = "fbm.tasks.adversarial.NoSuchClass"
    torch.save(content, run / "checkpoints" / "best.ckpt")
    return "NoSuchClass"


def any_function(run: Path) -> str:
    content = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    content["fbm"]["config"]["task"] = {"_target_": "pathlib.Path"}
    torch.save(content, run / "checkpoints" / "best.ckpt")
    return "takes pretraining runs"


@pytest.mark.parametrize(
    "spoil",
    [unfinish, empty, remove, break_summary, break_checkpoint, lose_config, other_network, unknown_part, any_function],
)
def test_bad_runs_are_one_line(run, spoil, capsys):
    wanted = spoil(run)
    assert fbm("analyse", str(run)) == 1
    error = only_error(capsys.readouterr().err)
    assert wanted in error
    assert str(run) in error
    assert not (run / "probes.json").exists()


def test_a_classification_run_is_one_line(trained, capsys):
    assert fbm("analyse", str(trained / "outputs" / "demo" / "class")) == 1
    assert "fbm analyse takes pretraining runs" in only_error(capsys.readouterr().err)


@pytest.mark.parametrize(("option", "value"), [("--resamples", "0"), ("--seed", "-1")])
def test_numbers_that_make_no_sense_are_one_line(run, option, value, capsys):
    assert fbm("analyse", str(run), option, value) == 1
    assert option in only_error(capsys.readouterr().err)
