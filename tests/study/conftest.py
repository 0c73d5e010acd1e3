"""A study that takes seconds: two pretrainings of one epoch, and classifications from them, on a tiny store."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from tests.tiny import make_store, settings


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Where `fbm study tiny` can be run, outputs and all."""
    monkeypatch.chdir(tmp_path)
    store = make_store(tmp_path / "store")
    small = [setting for setting in settings(store) if setting.split("=")[0] not in ("trainer", "logger")]
    options = "\n".join(f"  - override /{setting.replace('=', ': ')}" for setting in ("trainer=cpu", "logger=csv"))
    path = tmp_path / "experiment" / "small.yaml"
    path.parent.mkdir()
    values = OmegaConf.to_yaml(OmegaConf.from_dotlist(small))
    path.write_text(f"# @package _global_\ndefaults:\n{options}\n{values}")
    return declare(tmp_path)


def declare(folder: Path, **changes: Any) -> Path:
    """Write FOLDER/sweep/tiny.yaml."""
    declared = {
        "study": "tiny",
        "settings": ["experiment=small"],
        "pretrain": {"inits": {"ours": ["task=disentangle"], "autoencoder": ["task=autoencode"]}},
        "classify": {
            "settings": ["task=classify", "test=true"],
            "over": {"init": ["random", "autoencoder", "ours"], "seed": [0, 1]},
        },
        "analyse": False,
        "report": False,
        **changes,
    }
    path = folder / "sweep" / "tiny.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# @package _global_\n{yaml.safe_dump(declared)}")
    return folder


def summaries(study: str = "tiny") -> dict[str, dict[str, Any]]:
    """Summaries of a study's runs by folder name."""
    return {path.parent.name: json.loads(path.read_text()) for path in Path("outputs", study).glob("*/summary.json")}
