"""Run folders like those of the training spine, without training."""

import csv
import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import yaml

CLASSES = ["Bounce", "Circle", "Drift", "Spin"]


def fake_run(
    study: Path,
    task: str = "classify",
    init: str | None = "random",
    seed: int = 0,
    clip: float | None = 0.5,
    video: float | None = None,
    config: str = "",
    comparison: str = "same",
    data: str = "d1",
    name: str = "",
    extra: dict[str, Any] | None = None,
    val: tuple[float, ...] = (0.3, 0.4, 0.5),
    train: tuple[float, ...] = (0.6, 0.92, 0.99),
    finished: bool = True,
    more: dict[str, Any] | None = None,
) -> Path:
    run = study / (name or f"{task}-{init}-seed{seed}")
    run.mkdir(parents=True)
    settings = {
        "seed": seed,
        "name": run.name,
        "init": {"name": init},
        "optimizer": {"lr": 1e-4},
        **(extra or {}),
    }
    (run / "config.yaml").write_text(yaml.safe_dump(settings))
    (run / ".hydra").mkdir()
    (run / ".hydra" / "config.yaml").write_text("seed: 0\n")  # must not pass for a run
    metrics_csv(run / "metrics.csv", train, val)
    if task != "classify":
        gallery(run / "gallery")
    if finished:
        metrics = {"val/clip_top1": val[-1]} if val else {}
        if clip is not None:
            metrics |= {"test/clip_top1": clip, "test/video_top1": clip + 0.04 if video is None else video}
        clips = sum(map(sum, (more or {}).get("confusion") or [])) or 144
        prints = {"config": config or f"{task}-{init}-{comparison}", "comparison": comparison, "data": data}
        summary = {
            "fbm": "0.1.0", "study": study.name, "run": run.name, "task": task, "init": init, "seed": seed,
            "metrics": metrics if task == "classify" else {"test/loss": 0.2},
            "best_epoch": 2, "epochs": 3, "fingerprints": prints, "data": "demo", "classes": CLASSES,
            "samples": {"train": 216, "val": 72, "test": clips}, "git": {"commit": "abc123", "dirty": False},
            "versions": {"python": "3.11.7", "torch": "2.13.0"}, "hardware": {"device": "cpu", "cpus": 2},
            "throughput": {"clips_per_second": 99.0, "data_wait_share": 0.01},
            "started": "2026-11-22T10:00:00+00:00", "seconds": 12.3, **(more or {}),
        }  # fmt: skip
        (run / "summary.json").write_text(json.dumps(summary))
    return run


def metrics_csv(file: Path, train: tuple[float, ...], val: tuple[float, ...]) -> None:
    """Sparse rows as Lightning's CSVLogger leaves them: validation and training of an epoch on rows apart."""
    with file.open("w", newline="") as lines:
        writer = csv.DictWriter(lines, ["epoch", "step", "train/loss", "train/top1", "val/clip_top1"])
        writer.writeheader()
        for epoch in range(max(len(train), len(val))):
            if epoch < len(val):
                writer.writerow({"epoch": epoch, "step": epoch * 9, "val/clip_top1": val[epoch]})
            if epoch < len(train):
                writer.writerow({"epoch": epoch, "step": epoch * 9, "train/loss": 1, "train/top1": train[epoch]})


def gallery(folder: Path) -> None:
    folder.mkdir()
    for name in ("test", "epoch-000", "epoch-003", "epoch-007", "epoch-011"):
        pixels = np.random.default_rng(len(name)).random((24, 36, 3))
        matplotlib.image.imsave(folder / f"{name}.png", pixels)


def fake_study(top: Path, name: str = "demo") -> Path:
    """Three initialisations, two of them with three seeds; pretraining runs; one run that broke off."""
    study = top / name
    for seed, (low, high) in enumerate([(0.50, 0.60), (0.52, 0.66), (0.54, 0.63)]):
        fake_run(study, init="random", seed=seed, clip=low, train=(0.4, 0.6, 0.8))
        fake_run(study, init="ours", seed=seed, clip=high)
    fake_run(study, init="autoencoder", seed=1, clip=0.56)
    fake_run(study, init="autoencoder", seed=2, finished=False)
    fake_run(study, task="disentangle", init=None)
    fake_run(study, task="disentangle", init=None, seed=1)
    fake_run(study, task="autoencode", init=None)
    return study


def declare(study: Path, *jobs: dict[str, Any]) -> Path:
    """Write `study.json`; a job needs its folder, everything else has a default."""
    rows = [{"stage": "classify", "label": "random", "values": {}, **job} for job in jobs]
    study.mkdir(parents=True, exist_ok=True)
    (study / "study.json").write_text(json.dumps({"name": study.name, "jobs": rows}))
    return study


def labelled(study: Path, init: str, fraction: float, seed: int, clip: float | None, **more: Any) -> Path:
    """A classification on a share of the labels, as its config and summary say it."""
    extra = {"data": {"label_fraction": fraction, "module": {"label_fraction": fraction}}, **more.pop("extra", {})}
    more.setdefault("comparison", f"labels-{fraction}")
    return fake_run(
        study, init=init, seed=seed, clip=clip, name=f"{init}-{fraction}-seed{seed}{more.pop('suffix', '')}",
        extra=extra, more={"label_fraction": fraction, **more.pop("more", {})}, **more,
    )  # fmt: skip
