import sys
from pathlib import Path

import pytest

from fbm.evaluation.extract.options import Options, check_out
from fbm.utils.errors import UserError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "moton"}, "part='moton' is not one of all, .*did you mean 'motion'"),
        ({"pool": "max"}, "pool='max'"),
        ({"device": "gpu"}, "device='gpu'"),
        ({"stride": 0}, "stride=0: it should be a whole number of at least 1"),
        ({"batch": -1}, "batch=-1"),
        ({"workers": 0}, "workers=0"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": float("nan")}, "timeout=nan"),
    ],
)
def test_values_that_are_not_allowed_are_named(options, message):
    with pytest.raises(UserError, match=message):
        Options(**options)


def test_an_output_that_cannot_be_is_refused_before_any_work(tmp_path):
    for name in ("a.csv", "a"):
        with pytest.raises(UserError, match=rf"{name}: features are written as \.npz or \.parquet"):
            check_out(Path(name))
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        check_out(tmp_path / "a.npz")
    check_out(tmp_path / "b.NPZ")


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch):
    check_out(Path("a.parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"fbm-video\[parquet\]"):
        check_out(Path("a.parquet"))
