import json
from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest

from fbm.evaluation.extract import output
from fbm.evaluation.extract.output import Source, read_meta, table, write
from fbm.evaluation.extract.parts import Rows
from fbm.utils.errors import UserError

META = {"identity": "abc", "checkpoint": "ä"}
LENGTH = 8


def rows(clips, seed):
    rng = np.random.default_rng(seed)
    return Rows(np.arange(clips) * 4, rng.random((clips, 5), dtype=np.float32), 0.0 if seed == 1 else 25.0)


SOURCES = [
    Source(name, clips, partial(rows, clips, seed))
    for seed, (name, clips) in enumerate((("b/longest name ü.avi", 3), ("a.avi", 1), ("c.avi", 4)))
]
COLUMNS = {"motion": slice(0, 2), "background": slice(2, 5)}


def written(path):
    write(path, lambda: (table(source, LENGTH, COLUMNS, 20) for source in SOURCES), 8, META)
    return path


def check_columns(columns):
    assert columns["video"].tolist() == ["b/longest name ü.avi"] * 3 + ["a.avi"] + ["c.avi"] * 4
    assert columns["clip"].tolist() == [0, 1, 2, 0, 0, 1, 2, 3]
    assert columns["start_frame"].tolist() == [0, 4, 8, 0, 0, 4, 8, 12]
    assert (columns["end_frame"] - columns["start_frame"] == LENGTH).all()
    seconds = np.array([0, 4, 8, np.nan, 0, 4, 8, 12]) / 25
    assert np.allclose(columns["start_seconds"], seconds, equal_nan=True)
    assert np.allclose(columns["end_seconds"], seconds + LENGTH / 25, equal_nan=True)
    features = np.concatenate([source.read().features for source in SOURCES])
    for name, place in COLUMNS.items():
        assert np.array_equal(columns[name], features[:, place])


def test_an_npz_is_read_by_numpy(tmp_path):
    path = written(tmp_path / "a.npz")
    with np.load(path) as content:
        names = ["video", "clip", "start_frame", "end_frame", "start_seconds", "end_seconds", *COLUMNS, "meta"]
        assert content.files == names
        assert content["motion"].dtype == np.float32
        check_columns(content)
        assert json.loads(str(content["meta"])) == META
    assert read_meta(path) == META


@pytest.mark.parametrize("group", [1, 3, 4096])
def test_parquet_has_the_same_columns(tmp_path, monkeypatch, group):
    monkeypatch.setattr(output, "GROUP", group)
    path = written(tmp_path / "a.parquet")
    assert str(pq.read_schema(path).field("motion").type) == "fixed_size_list<element: float>[2]"
    found = pq.read_table(path)
    columns = {name: np.array(found[name].to_pylist()) for name in found.column_names}
    check_columns(columns | {name: columns[name].astype(np.float32) for name in COLUMNS})
    assert json.loads(found.schema.metadata[b"fbm"]) == META
    assert pq.read_metadata(path).num_row_groups == {1: 3, 3: 2, 4096: 1}[group]
    assert read_meta(path) == META


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_failure_leaves_what_was_there(tmp_path, ending):
    path = written(tmp_path / f"a.{ending}")
    before = path.read_bytes()

    def full():
        yield table(SOURCES[0], LENGTH, COLUMNS, 20)
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match="cannot be written: No space left on device; the features are kept"):
        write(path, full, 8, META)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", ["npz", "parquet"])
def test_a_file_of_somebody_else_has_no_meta(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"something else")
    assert read_meta(path) == {}
    with path.open("wb") as file:
        np.savez(file, x=np.ones(3))
    assert read_meta(path) == {}
