import json

from fbm.report.pretraining import pretrainings
from fbm.report.read.runs import find
from tests.report.fake import fake_run


def test_groups_by_task_and_config_with_seeds_inside(tmp_path):
    study = tmp_path / "demo"
    fake_run(study)
    fake_run(study, task="predict", init=None)
    fake_run(study, task="autoencode", init=None)
    for lr in (0.1, 0.2):
        for seed in (10, 2):
            extra = {"optimizer": {"lr": lr}}
            fake_run(study, "disentangle", None, seed, config=f"c{lr}", extra=extra, name=f"d{lr}-{seed}")
    groups = pretrainings(find([study]))
    assert [group.label for group in groups] == [
        "disentangle (optimizer.lr=0.1)",
        "disentangle (optimizer.lr=0.2)",
        "autoencode",
        "predict",
    ]
    assert [run.summary.seed for run in groups[0].runs] == [2, 10]
    assert groups[0].first.summary.run == "d0.1-2"
    assert [group.init for group in groups[1:]] == ["ours", "autoencoder", "predict"]


def test_a_studys_names_set_its_pretrainings_apart(tmp_path):
    study, jobs = tmp_path / "demo", []
    for name, lr in (("ours", 0.1), ("ours_slow", 0.2)):
        for seed in (0, 1):
            extra = {"optimizer": {"lr": lr}}
            run = fake_run(study, "disentangle", None, seed, config=name, extra=extra, name=f"{name}-{seed}")
            jobs.append({"folder": run.name, "stage": "pretrain", "label": name, "values": {"seed": seed}})
    (study / "study.json").write_text(json.dumps({"name": "demo", "jobs": jobs}))
    groups = pretrainings(find([study]))
    assert [group.label for group in groups] == ["disentangle (ours)", "disentangle (ours_slow)"]
