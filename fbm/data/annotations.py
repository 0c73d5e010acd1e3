"""Read the boxes of UCF-101's 24 annotated classes, from `.xgtf` files or the corrected pickle."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from fbm.utils.errors import UserError

# The only names a pickle of plain containers and numpy arrays needs. numpy moved `core` to `_core` in version 2.
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy.core.numeric", "_frombuffer"),  # protocol 5
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),  # bytes in protocol 2
}

PERSON = "PERSON"  # the name of the objects whose boxes are used
LONGEST = 1_000_000  # frames: a longer span is damage, and would exhaust memory


@dataclass(frozen=True)
class Annotation:
    """The boxes of one video.

    Attributes:
        frames: the video's number of frames according to the annotation; None if unspecified.
        boxes: int64 `N 5`: frame (0-based), x, y, width, height in pixels of the video. A frame may have any number.
        others: the name of every object that is not a person; their boxes are not used.
    """

    frames: int | None
    boxes: np.ndarray
    others: tuple[str, ...] = ()


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays and plain containers; rejects anything else before it can run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not needed for boxes and could run code")
        return super().find_class(module, name)


def read_pickle(path: Path) -> dict[str, Annotation]:
    """The corrected annotations, by video name `CLASS/v_CLASS_gXX_cYY`.

    Raises:
        UserError: not a readable pickle of the published form, or one with anything but arrays and containers.
    """
    try:
        entries = _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(f"annotations {path} refused: {_brief(error)}") from error
    try:
        return {name: _from_entry(entry) for name, entry in entries.items()}
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise UserError(
            f"annotations {path} are not of the corrected form {{name: {{numf, label, annotations}}}}: {_brief(error)}"
        ) from error


def _from_entry(entry: dict[str, Any]) -> Annotation:
    tubes = []
    for tube in entry["annotations"]:
        # Stored in the smallest type that fits: x + w would overflow uint8.
        boxes = np.asarray(tube["boxes"]).astype(np.int64).reshape(-1, 4)
        first, end = int(tube["sf"]), int(tube["ef"])
        if end - first != len(boxes):
            raise ValueError(f"a tube over {end - first} frames has {len(boxes)} boxes")
        tubes.append(np.column_stack([np.arange(first, end), boxes]))
    return Annotation(int(entry["numf"]), _stack(tubes))


def read_xgtf(path: Path) -> Annotation:
    """One THUMOS'13 ViPER file; its 1-based inclusive framespans become 0-based frames.

    Raises:
        UserError: not well-formed XML, one with entities or a document type, or a box without its numbers.
    """
    try:
        root = ElementTree.parse(path, forbid_dtd=True).getroot()
    except DefusedXmlException as error:
        raise UserError(f"annotation {path} refused: it declares XML entities, which boxes never need") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: unknown encoding
        raise UserError(f"annotation {path} is not readable XML: {error}") from error
    except OSError as error:
        raise UserError(f"annotation {path} cannot be read: {error.strerror}") from error
    files = [] if root is None else root.findall(".//{*}sourcefile")
    if not files:
        raise UserError(f"annotation {path} is not of the ViPER form: it holds no sourcefile")
    # Only the first non-empty one is used.
    source = next((each for each in files if each.find("{*}object") is not None), files[0])
    try:
        boxes = [
            _spanned(box)
            for person in source.iterfind(f"{{*}}object[@name='{PERSON}']")
            for box in person.iterfind("{*}attribute[@name='Location']/{*}bbox")
        ]
        names = [each.get("name", "") for each in source.iterfind("{*}object")]
        return Annotation(_frame_count(source), _stack(boxes), tuple(name for name in names if name != PERSON))
    except (KeyError, ValueError, OverflowError) as error:
        raise UserError(f"annotation {path}: a box of the Location attribute is malformed: {_brief(error)}") from error


def _spanned(box: Any) -> np.ndarray:
    first, last = (int(number) for number in box.attrib["framespan"].split(":"))
    if not 1 <= first <= last < LONGEST:
        raise ValueError(f"framespan {box.attrib['framespan']!r} (1-based, first to last)")
    frames = np.arange(first - 1, last)
    place = [round(float(box.attrib[key])) for key in ("x", "y", "width", "height")]
    return np.column_stack([frames, np.tile(place, (len(frames), 1))])


def _frame_count(element: Any) -> int | None:
    value = element.find(".//{*}attribute[@name='NUMFRAMES']/*[@value]")
    return None if value is None else int(value.attrib["value"])


def _stack(parts: list[np.ndarray]) -> np.ndarray:
    boxes = np.concatenate(parts) if parts else np.zeros((0, 5))
    return boxes.astype(np.int64)[np.argsort(boxes[:, 0], kind="stable")]


def _brief(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
