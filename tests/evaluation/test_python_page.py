"""The code of docs/python.md runs as it stands there; training is that of the shared runs."""

import re
import shutil

import numpy as np
import pytest

import fbm
from fbm.config.compose import compose
from fbm.config.instantiate import check
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow
PAGE = (REPOSITORY / "docs" / "python.md").read_text()
CODE = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_its_code_runs(runs, videos, tmp_path, monkeypatch):
    def trained(*overrides: str) -> object:
        content = check(compose(overrides))
        return runs[content["task_name"]]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fbm, "train", trained)
    shutil.copy(next(iter(videos)), tmp_path / "clip.mp4")
    names: dict[str, object] = {}
    assert len(CODE) == 4
    for block in CODE:
        exec(block, names)
    features = names["features"]
    assert isinstance(features, np.ndarray)
    assert features.shape[1] == runs["classify"].encoder.feature_shape[0]
