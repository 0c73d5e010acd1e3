"""Whether the machines of a job are alike in what decides a result."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

import fbm
from fbm.config.instantiate import check_run
from fbm.data.store import read_manifest
from fbm.runs.fingerprints import identify
from fbm.runs.provenance import versions

SAME = ("settings", "data", "code", "torch", "pytorch-lightning", "numpy")


def facts(config: DictConfig) -> dict[str, str]:
    """Fingerprints of the settings, the store and fbm's own code, and versions, as this process sees them."""
    found = {
        "settings": identify(check_run(config)),
        "data": read_manifest(Path(config.data.store)).fingerprint,
        "code": _code(),
        **versions(),
    }
    return {key: found[key] for key in SAME if key in found}


def differences(own: Mapping[str, str], first: Mapping[str, str]) -> str:
    """What is not the same, in words; empty where all is."""
    keys = [key for key in SAME if own.get(key) != first.get(key)]
    return ", ".join(f"{key} {own.get(key)} and {first.get(key)} there" for key in keys)


def _code() -> str:
    digest = hashlib.sha256()
    root = Path(fbm.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
