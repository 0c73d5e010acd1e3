"""Writing the output, npz or Parquet, part by part, so that it need not fit into memory."""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from fbm.evaluation.extract.parts import Rows
from fbm.utils.errors import UserError
from fbm.utils.files import atomic_write

GROUP = 4096  # rows of a Parquet row group, at least


@dataclass(frozen=True)
class Source:
    """One video of the output: its name, its number of clips, and a function that reads its rows."""

    name: str
    clips: int
    read: Callable[[], Rows]


Table = dict[str, np.ndarray]


def table(source: Source, length: int, columns: dict[str, slice], width: int) -> Table:
    """The columns of one video.

    Args:
        length: frames of a clip.
        columns: place of each column of features.
        width: characters of the longest name.
    """
    rows = source.read()
    ends = rows.starts + length
    per_frame = 1 / rows.fps if rows.fps else np.nan
    return {
        "video": np.full(len(ends), source.name, f"<U{width}"),
        "clip": np.arange(len(ends)),
        "start_frame": rows.starts,
        "end_frame": ends,
        "start_seconds": rows.starts * per_frame,
        "end_seconds": ends * per_frame,
        **{name: np.ascontiguousarray(rows.features[:, place]) for name, place in columns.items()},
    }


def write(out: Path, tables: Callable[[], Iterable[Table]], rows: int, meta: dict[str, Any]) -> None:
    """Write `out` whole or not at all, in the format that its ending says.

    Args:
        tables: yields the columns of the videos in order, at every call.
        rows: of all tables together, at least 1.

    Raises:
        UserError: it cannot be written.
    """
    try:
        with atomic_write(out) as file:
            (_write_parquet if out.suffix.lower() == ".parquet" else _write_npz)(file, tables, rows, json.dumps(meta))
    except OSError as error:
        raise UserError(
            f"{out} cannot be written: {error.strerror}; the features are kept, run the same command again"
        ) from error


def _write_npz(file: IO[bytes], tables: Callable[[], Iterable[Table]], rows: int, meta: str) -> None:
    """A zip of arrays as numpy writes it, a column at a time: numpy would need each column whole."""
    first = next(iter(tables()))
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in first.items():
            # Names repeat and hold four bytes a character; features hardly shrink.
            archive.compression = zipfile.ZIP_DEFLATED if name == "video" else zipfile.ZIP_STORED
            with archive.open(f"{name}.npy", "w", force_zip64=True) as column:
                shape = (rows, *values.shape[1:])
                header = {"descr": values.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(column, header)
                for part in tables():
                    column.write(part[name].tobytes())
        with archive.open("meta.npy", "w") as column:
            np.lib.format.write_array(column, np.array(meta))


def _write_parquet(file: IO[bytes], tables: Callable[[], Iterable[Table]], rows: int, meta: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _arrow(next(iter(tables()))).schema.with_metadata({"fbm": meta})
    with pq.ParquetWriter(file, schema) as writer:
        for group in _grouped(_arrow(part) for part in tables()):
            writer.write_table(pa.concat_tables(group).replace_schema_metadata({"fbm": meta}))


def _grouped(tables: Iterable[Any]) -> Iterator[list[Any]]:
    """Tables in groups of at least GROUP rows: a row group for every short video would be slow to read."""
    group: list[Any] = []
    for part in tables:
        group.append(part)
        if sum(len(one) for one in group) >= GROUP:
            yield group
            group = []
    if group:
        yield group


def _arrow(columns: Table) -> Any:
    """A pyarrow table; features `N D` are lists of D float32."""
    import pyarrow as pa

    return pa.table(
        {
            name: pa.array(values)
            if values.ndim == 1
            else pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
            for name, values in columns.items()
        }
    )


def read_meta(out: Path) -> dict[str, Any]:
    """The `meta` of an earlier output; empty if `out` is not one."""
    try:
        if out.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            text = (pq.read_schema(out).metadata or {})[b"fbm"].decode()
        else:
            with np.load(out) as content:
                text = str(content["meta"])
        meta = json.loads(text)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
    return meta if isinstance(meta, dict) else {}
