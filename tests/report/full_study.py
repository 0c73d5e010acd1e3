"""A fake study with everything a page can show: shares of labels, confusion matrices, probes, swap grids, lineage."""

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np

from tests.report.fake import fake_run

CLASSES = ["Bounce", "Orbit", "Pulse", "Shake", "Slide", "Spin"]
CLIPS = 21  # test clips of a class
LEVEL = {"random": 0.30, "autoencoder": 0.36, "ours": 0.46}
SEEDS = (0, 1, 2)
SCORES = [
    {"kind": "table", "name": "diagonality", "value": {"value": 0.041, "low": -0.012, "high": 0.06},
     "untrained": {"value": 0.0, "low": 0.0, "high": 0.01}, "permuted": 0.004, "chance": None},
    {"kind": "table", "name": "leakage", "value": None},
    {"kind": "swaps", "name": "motion, swapped", "value": {"value": 0.23, "low": 0.13, "high": 0.33},
     "untrained": {"value": 0.17, "low": 0.1, "high": 0.2}, "permuted": 0.16, "chance": 0.1667},
    {"kind": "similarity", "name": "motion, foreground", "value": {"value": 0.5, "low": 0.4, "high": 0.6}},
    {"kind": "dynamics", "name": "motion", "value": {"value": 0.43, "low": 0.36, "high": 0.51}},
]  # fmt: skip


def full_study(top: Path, fractions: tuple[float, ...] = (0.0625, 0.25, 1.0), classes: list[str] = CLASSES) -> Path:
    """Three initialisations, three seeds, several shares; two pretrainings, one of which drew swap grids."""
    study = top / "scarcity"
    rng = np.random.default_rng(0)
    for init, level in LEVEL.items():
        for fraction in fractions:
            for seed in SEEDS:
                accuracy = min(0.97, level * (1 + fraction) + 0.03 * float(rng.standard_normal()))
                classify(study, init, fraction, seed, accuracy, classes, rng)
    for task in ("disentangle", "autoencode"):
        pretrain(study, task, rng)
    return study


def classify(study, init, fraction, seed, accuracy, classes, rng) -> Path:
    counts = confusion(accuracy, len(classes), rng)
    task = {"ours": "disentangle", "autoencoder": "autoencode"}.get(init)
    start = task and {
        "folder": f"outputs/scarcity/{task}-None-seed0", "study": "scarcity", "run": f"{task}-None-seed0", "seed": 0,
        "fingerprint": f"{task}-print",
    }  # fmt: skip
    rise = accuracy * (1 - np.exp(-np.arange(1, 21) / 6)) + 0.03 * rng.standard_normal(20)
    clip = float(np.trace(counts) / counts.sum())
    return fake_run(
        study, init=init, seed=seed, clip=clip, video=min(clip + 0.03, 1.0), comparison=f"labels-{fraction}",
        name=f"{init}-labels{fraction}-seed{seed}", extra={"data": {"label_fraction": fraction}},
        val=tuple(np.clip(rise, 0, 1)), train=tuple(np.clip(rise * 1.8, 0, 1)),
        more={
            "classes": classes, "confusion": counts.tolist(), "label_fraction": fraction, "pretraining": start,
            "lock": "10c40c40c40c40c4", "packages": "9ac4a9e59ac4a9e5", "samples": {"test": CLIPS * len(classes)},
        },
    )  # fmt: skip


def confusion(accuracy: float, classes: int, rng: np.random.Generator) -> np.ndarray:
    """C x C counts whose diagonal holds about `accuracy` of each class."""
    share = (1 - accuracy) / (classes - 1)
    rows = [np.where(np.arange(classes) == true, accuracy, share) for true in range(classes)]
    return np.array([rng.multinomial(CLIPS, row / row.sum()) for row in rows])


def pretrain(study: Path, task: str, rng: np.random.Generator) -> Path:
    run = fake_run(study, task=task, init=None, config=f"{task}-print", more={"classes": CLASSES})
    with (run / "metrics.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["epoch", "step", "val/loss", "val/knn_top1", "val/linear_top1"])
        for epoch in range(20):
            loss = 0.9 + 0.8 / (1 + epoch) + 0.02 * rng.standard_normal()
            writer.writerow([epoch, epoch * 9, loss, 0.2 + 0.01 * epoch, 0.25 + 0.012 * epoch])
    parts = ("motion", "foreground", "background", "all") if task == "disentangle" else ("all",)
    probes(run, task, parts)
    if task == "disentangle":
        for name in ("swap-motion", "swap-background"):
            matplotlib.image.imsave(run / "gallery" / f"{name}.png", rng.random((40, 40, 3)))
    return run


def probes(run: Path, task: str, parts: tuple[str, ...], data: str = "d1") -> None:
    meant = {"motion": "motion", "foreground": "object", "background": "scene"}
    made: list[dict[str, Any]] = []
    for part in parts:
        for factor, chance in (("motion", 0.167), ("object", 0.125), ("scene", 0.125)):
            share = 0.62 if meant.get(part) == factor else 0.45 if part == "all" else chance + 0.02
            sizes = {"classes": round(1 / chance), "train_clips": 288, "test_clips": 126}
            made.append(
                {"part": part, "factor": factor, "accuracy": share, "low": share - 0.08, "high": share + 0.08,
                 "chance": chance, **sizes}
            )  # fmt: skip
    whole = task == "disentangle"
    control = [{**probe, "accuracy": 0.2, "low": 0.12, "high": 0.28} for probe in made if probe["part"] == "all"]
    retrieval = {"k": 1, "recall": 0.3, "low": 0.2, "high": 0.4, "train_videos": 288, "test_videos": 126}
    content = {
        "run": run.name, "task": task, "data": data, "split": "test",
        "interval": "95 % percentile bootstrap over test groups, 1000 resamples", "probes": made,
        "scores": SCORES if whole else [],
        "effective_rank": {part: 10.0 + len(part) for part in parts},
        "control": control, "control_effective_rank": 3.5, "retrieval": [retrieval], "control_retrieval": [retrieval],
    }  # fmt: skip
    (run / "probes.json").write_text(json.dumps(content))
