"""The scripts of experiments/ as modules."""

import importlib.util
from types import ModuleType

import pytest

from tests.conftest import REPOSITORY


def load_script(path: str) -> ModuleType:
    """A script of experiments/ as a new module; it imports what lies beside it, as when it is run."""
    file = REPOSITORY / "experiments" / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(file.parent)
        spec.loader.exec_module(module)
    return module
