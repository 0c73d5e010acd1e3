"""Writing an export: all files beside the folder first, then into it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from torch import Tensor

from fbm.evaluation.export.card import CARD, model_card
from fbm.evaluation.export.onnx import check_packages, export_onnx
from fbm.evaluation.export.plain import publishable
from fbm.evaluation.finished import read_results
from fbm.runs.checkpoints import encoder_of, read_checkpoint
from fbm.runs.exported import exported_settings
from fbm.runs.files import EXPORTED_RESULTS, EXPORTED_SETTINGS, EXPORTED_WEIGHTS
from fbm.runs.summary import RunSummary
from fbm.utils.errors import UserError

ONNX = "model.onnx"


def export(run: Path, folder: Path, onnx: bool) -> list[str]:
    """Write a finished run into `folder`; returns lines for the terminal.

    Raises:
        UserError: the run is not finished or damaged, a package is missing, the ONNX network computes something else,
            or the folder cannot be written. Nothing is written then.
    """
    if onnx:
        check_packages()
    summary = read_results(run)
    content = read_checkpoint(run)
    encoder = encoder_of(content, str(run))
    lines = []
    with _written_whole(folder) as draft:
        _save(content["state_dict"], draft / EXPORTED_WEIGHTS)
        (draft / EXPORTED_SETTINGS).write_text(
            exported_settings(draft / EXPORTED_WEIGHTS, publishable(content["fbm"])), encoding="utf-8"
        )
        results = RunSummary.from_dict(publishable(summary.to_dict()))
        (draft / EXPORTED_RESULTS).write_text(results.to_json(), encoding="utf-8")
        agreement = None
        if onnx:
            agreement = export_onnx(content, summary, str(run), draft / ONNX)
            lines.append(f"{folder / ONNX}: {agreement}")
        (draft / CARD).write_text(model_card(results, encoder, content["fbm"], agreement), encoding="utf-8")
        size = (draft / EXPORTED_WEIGHTS).stat().st_size
    return [f"{folder}: {size / 1e6:.1f} MB of weights from {run}", *lines]


def _save(weights: dict[str, Any], file: Path) -> None:
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise UserError("fbm export needs safetensors: pip install 'fbm-video[export]'") from error
    # Contiguous copies: the format knows neither shared memory nor channels last. The bits are the same.
    tensors = {name: value.clone().contiguous() for name, value in weights.items() if isinstance(value, Tensor)}
    file.write_bytes(save(tensors, metadata={"format": "pt"}))


@contextmanager
def _written_whole(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, whose files are moved into it when the block succeeds. UserError."""
    draft = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        yield draft
        folder.mkdir(exist_ok=True)
        (folder / ONNX).unlink(missing_ok=True)  # an earlier export's, of other weights
        for file in sorted(draft.iterdir()):
            file.replace(folder / file.name)
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
