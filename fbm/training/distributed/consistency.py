"""Checks that all ranks train the same: their settings, data, code and library versions."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig

import fbm
from fbm.config.instantiate import check_run
from fbm.data.store.manifest import read_manifest
from fbm.runs.fingerprints import identify
from fbm.runs.provenance import versions

MUST_MATCH = ("settings", "data", "code", "torch", "pytorch-lightning", "numpy")


def environment_fingerprint(config: DictConfig) -> dict[str, str]:
    """Fingerprints of settings, store and fbm's code, and library versions, as this process has them."""
    values = {
        "settings": identify(check_run(config)),
        "data": read_manifest(Path(config.data.store)).fingerprint,
        "code": _code_fingerprint(),
        **versions(),
    }
    return {key: values[key] for key in MUST_MATCH if key in values}


def diff(own: Mapping[str, str], first: Mapping[str, str]) -> str:
    """What differs from rank 0's fingerprint, for a message; empty if nothing does."""
    keys = [key for key in MUST_MATCH if own.get(key) != first.get(key)]
    return ", ".join(f"{key} {own.get(key)} and {first.get(key)} there" for key in keys)


def _code_fingerprint() -> str:
    digest = hashlib.sha256()
    root = Path(fbm.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]
