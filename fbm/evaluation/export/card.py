"""The model card of an export: Markdown with the fields that the Hugging Face Hub reads at its top."""

from typing import Any

import yaml

from fbm.models.encoder import Encoder
from fbm.report.numbers import plain
from fbm.runs.summary import RunSummary

CARD = "README.md"
MEANING = {
    "classify": "classifies actions: an encoder with a linear layer",
    "disentangle": "separates a clip into foreground, background and motion features",
    "autoencode": "reconstructs whole clips: the autoencoder baseline",
}


def model_card(summary: RunSummary, encoder: Encoder, carried: dict[str, Any], onnx: str | None) -> str:
    """The text of the card.

    Args:
        carried: what the run's checkpoint carries.
        onnx: how far the ONNX network agrees; None without one.
    """
    frames, size = encoder.frames, encoder.size
    parameters = sum(weights.numel() for weights in encoder.parameters())
    target = str(carried["config"]["encoder"]["_target_"]).rpartition(".")[2]
    measured = {name: value for name, value in sorted(summary.metrics.items()) if not name.startswith("time/")}
    metrics = [(name, value) for name, value in measured.items() if value is not None]
    facts = [
        ("task", summary.task),
        ("initialisation", summary.init),
        ("data", summary.data),
        ("classes", len(summary.classes) if summary.task == "classify" else None),
        ("clips", ", ".join(f"{count:,} {split}" for split, count in summary.samples.items())),
        ("encoder", f"{target}, {parameters / 1e6:.2f} M parameters, features {tuple(encoder.feature_shape)}"),
        ("input", f"{frames} frames of {size} x {size} pixels, RGB in [-1, 1]{_interval(encoder)}"),
        ("epochs", f"{summary.epochs}, the best by {summary.monitor} is {(summary.best_epoch or 0) + 1}"),
        ("seed", summary.seed),
        ("config fingerprint", summary.fingerprints.config),
        ("data fingerprint", summary.fingerprints.data),
        ("fbm", f"{summary.fbm}{_commit(summary)}"),
        ("torch", summary.versions.get("torch")),
    ]
    partial = f"\nThe test left clips out: {summary.partial}.\n" if summary.partial else ""
    return f"""---
{yaml.safe_dump(_fields(summary), sort_keys=False).strip()}
---

# {summary.study + "/" if summary.study else ""}{summary.run}

A network of fbm (`pip install fbm-video`) that {MEANING.get(summary.task, f"was trained with task={summary.task}")}.

```python
import fbm

{_code(summary)}
```

## Results

One run, one seed: no interval. The checkpoint is the best on validation; `test/...` was measured once.

| metric | value |
| --- | --- |
{_rows([(f"`{name}`", plain(value)) for name, value in metrics])}
{partial}
## Training

| | |
| --- | --- |
{_rows([(name, value) for name, value in facts if value not in (None, "")])}
{_onnx(onnx)}"""


def _interval(encoder: Encoder) -> str:
    return f", one of {encoder.frame_interval} of the video" if encoder.frame_interval > 1 else ""


def _fields(summary: RunSummary) -> dict[str, Any]:
    kind = {"pipeline_tag": "video-classification"} if summary.task == "classify" else {}
    return {"library_name": "fbm", **kind, "tags": ["video", "fbm", summary.task, f"data:{summary.data}"]}


def _code(summary: RunSummary) -> str:
    use = {"classify": 'run.predict("video.mp4")  # classes with probabilities'}
    use["disentangle"] = 'run.reconstruct("video.mp4")  # first foreground, first background, last foreground'
    lines = ['run = fbm.load("FOLDER")  # this folder, or hf://USER/NAME', 'run.features("video.mp4")  # N x D']
    return "\n".join([*lines, *([use[summary.task]] if summary.task in use else [])])


def _commit(summary: RunSummary) -> str:
    git = summary.git or {}
    return f", commit {git['commit']}{' with changes' if git.get('dirty') else ''}" if git.get("commit") else ""


def _rows(pairs: list[tuple[str, Any]]) -> str:
    return "\n".join(f"| {name} | {str(value).replace('|', '/')} |" for name, value in pairs)


def _onnx(agreement: str | None) -> str:
    if agreement is None:
        return ""
    text = "`model.onnx` maps `clips` (B 3 T H W float32, -1 to 1) to `features` (B C h w) and a classifier's `logits`"
    return f"\n## ONNX\n\n{text}: {agreement}.\n"
