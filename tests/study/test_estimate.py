"""How long a study will take, and how much disk, by finished runs of the same kind."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from fbm.study.declared import Classification, Pretraining, StudySpec
from fbm.study.estimate import Cost, costs, expected, trial_command
from fbm.study.job import Job
from tests.runs.summaries import run_summary

CONFIG: dict[str, Any] = {
    **{"task_name": "classify", "task": {"_target_": "a"}, "encoder": {"width": 64}, "compile": False},
    **{"activation_checkpointing": False, "float32_matmul": "high", "test": True},
    "data": {
        **{"store": "stores/a", "size": 128, "chunk_frames": 32, "clip_frames": 16, "batch_size": 40},
        "label_fraction": 1.0,
    },
    "trainer": {
        **{"accelerator": "gpu", "devices": 1, "num_nodes": 1, "precision": "bf16-mixed", "max_epochs": 3},
        **{"limit_train_batches": None, "limit_val_batches": None},
    },
}


def changed(**values: Any) -> dict[str, Any]:
    """CONFIG with other values; `data__size` is in `data`."""
    config = copy.deepcopy(CONFIG)
    for key, value in values.items():
        *groups, last = key.split("__")
        place = config
        for group in groups:
            place = place[group]
        place[last] = value
    return config


def finish(outputs: Path, config: dict[str, Any], name: str = "run", **values: Any) -> Path:
    """Leave a finished run of 3 epochs at 100 clips/s: 1,020 training clips, of which 1,000 fill batches, and 300."""
    folder = outputs / "study" / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    measured: dict[str, Any] = {
        **{"samples": {"train": 1020, "val": 300, "test": 500}, "throughput": {"clips_per_second": 100.0}},
        **{"seconds": 50.0, "epochs": 3, "label_fraction": 1.0, "hardware": {"device": "cuda", "name": "GPU A"}},
        **values,
    }
    (folder / "summary.json").write_text(run_summary(**measured).to_json())
    (folder / "best.ckpt").write_bytes(bytes(1_000_000))
    return folder


def job(content: dict[str, Any], name: str = "left", stage: str = "classify") -> Job:
    return Job(stage, "random", {}, (), Path("outputs/none") / name, "x", content)


def declared(**over: list[Any]) -> StudySpec:
    pretrain = Pretraining("mine", [], {"ours": []}, {"seed": [3, 4]})
    return StudySpec("mine", None, [], pretrain, Classification([], over), analyse=False, bias=False, report=False)


def test_a_run_takes_what_a_finished_one_of_its_kind_took(tmp_path):
    finish(tmp_path, CONFIG)
    (cost,) = costs([job(CONFIG)], tmp_path).values()
    assert cost.epoch == pytest.approx((1000 + 300 / 3) / 100)
    assert cost.beside == pytest.approx(50 - 33)
    assert cost.seconds(10) == pytest.approx(17 + 110)
    assert 1_000_000 < cost.bytes < 1_010_000
    assert cost.device == "GPU A"


def test_scarce_labels_make_short_epochs(tmp_path):
    finish(tmp_path, CONFIG)
    (cost,) = costs([job(changed(data__label_fraction=0.25))], tmp_path).values()
    assert cost.epoch == pytest.approx(11 / 4)


@pytest.mark.parametrize(
    ("values", "alike"),
    [
        ({"trainer__max_epochs": 125}, True),
        ({"trainer__precision": None, "float32_matmul": None}, True),  # by device, when it is run
        ({"trainer__precision": "32-true"}, False),
        ({"task_name": "autoencode"}, False),
        ({"encoder__width": 32}, False),
        ({"encoder__norm": "group"}, False),
        ({"data__size": 64}, False),
        ({"data__batch_size": 80}, False),
        ({"data__store": "stores/b"}, False),
        ({"trainer__devices": 4}, False),
        ({"trainer__limit_train_batches": 2}, False),
        ({"compile": True}, False),
        ({"task__crops": 1}, True),  # as it was before there was such a setting
        ({"task__crops": 3}, False),
    ],
)
def test_only_a_run_of_the_same_kind_tells(tmp_path, values, alike):
    finish(tmp_path, CONFIG)
    assert bool(costs([job(changed(**values))], tmp_path)) == alike


def test_a_part_of_an_epoch_is_told_apart(tmp_path):
    short = changed(trainer__limit_train_batches=2, trainer__limit_val_batches=0.5)
    finish(tmp_path, short)
    (cost,) = costs([job(short)], tmp_path).values()
    assert cost.epoch == pytest.approx((80 + 150 / 3) / 100)


def test_what_tells_nothing_is_no_reason_to_fail(tmp_path):
    bad: list[dict[str, Any]] = [{"throughput": {}}, {"samples": None}, {"throughput": {"clips_per_second": 0}}]
    for number, values in enumerate(bad):
        finish(tmp_path, CONFIG, f"bad{number}", **values)
    (finish(tmp_path, CONFIG, "damaged") / "config.yaml").write_text("a: [")
    (finish(tmp_path, CONFIG, "half") / "summary.json").write_text("{")
    (finish(tmp_path, CONFIG, "lost") / "config.yaml").unlink()
    assert costs([job(CONFIG)], tmp_path) == {}


def test_a_study_says_what_it_will_take_or_how_to_find_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = [job(changed(trainer__max_epochs=125)), job(changed(task_name="autoencode"), "other", "pretrain")]
    study = declared(init=["random", "ours"], seed=[3, 4])
    assert expected(study, jobs) == ""
    assert trial_command(study, "my/study", jobs) == (
        "mine: the time is unknown; estimate it by one epoch of each kind: fbm study my/study study=mine_trial "
        "trainer.max_epochs=1 pretrain.over.seed=[3] classify.over.seed=[3]"
    )
    finish(Path("outputs"), CONFIG)
    assert expected(study, jobs) == ""  # a half is not the whole
    finish(Path("outputs"), changed(task_name="autoencode"), "autoencode")
    # 17 + 125 * 11 and 17 + 3 * 11 seconds
    line = expected(study, jobs)
    assert all(part in line for part in ("mine: ", "24 min 2 s", "2.0 MB", "GPU A"))
    assert expected(study, []) == trial_command(study, "mine", []) == ""


def test_the_seconds_of_a_run_follow_from_its_epochs():
    assert Cost(2.0, 1.0, 0, "").seconds(3) == 7.0
