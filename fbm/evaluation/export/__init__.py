"""`fbm export`: a finished run as files to publish: safetensors, JSON, a model card, ONNX."""

import argparse
from pathlib import Path

from fbm.utils.errors import UserError, parsed


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm export`."""
    made = argparse.ArgumentParser(
        prog="fbm export",
        description="Write a finished run as weights (model.safetensors), config.json, results.json and a model card "
        "(README.md) into a folder, from which fbm.load and fbm.load_encoder, init.checkpoint=FOLDER and all commands "
        "that take a run read it. Uploaded to the Hugging Face Hub it is hf://USER/NAME.",
    )
    made.add_argument("run", type=Path, metavar="RUN", help="the folder of a finished run")
    made.add_argument("folder", type=Path, metavar="FOLDER", help="where to write")
    made.add_argument("--onnx", action="store_true", help="also model.onnx, from clips to features and logits, checked")
    made.add_argument("--overwrite", action="store_true", help="replace the files of an earlier export")
    return made


def main(argv: list[str]) -> int:
    """Run `fbm export`; 0 when done. UserError for what the user can fix."""
    args = parsed(parser(), argv)
    check_folder(args.folder, args.overwrite)
    from fbm.evaluation.finished import read_results

    read_results(args.run)  # before torch is imported
    from fbm.evaluation.export.write import export

    for line in export(args.run, args.folder, args.onnx):
        print(line)
    return 0


def check_folder(folder: Path, overwrite: bool) -> None:
    """Refuse, before any work, to replace what may be wanted. UserError."""
    from fbm.runs.exported import is_exported

    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; choose another folder")
    if folder.is_dir() and is_exported(folder) and not overwrite:
        raise UserError(f"{folder} holds an export already: choose another folder, or --overwrite")
    if folder.is_dir() and not is_exported(folder) and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise UserError(f"{folder} holds other files: choose an empty or a new folder")
