"""The folder of a run: locked by one job, and finished once it has a summary."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shutil import rmtree

from fbm.runs.checkpoints import read_checkpoint
from fbm.runs.files import AUTO, BAD_BATCH, BEST, CHECKPOINTS, CONFIG, FAILURE, LAST, METRICS, NONE, SUMMARY
from fbm.runs.summary import RunSummary, summary_if_finished
from fbm.utils.errors import UserError
from fbm.utils.files import LOCK, exclusive_lock, remove_partial, write_text

# Prefixes of the files of an attempt that is worth keeping, a traceback and a bad batch among them.
ATTEMPT_FILES = (CHECKPOINTS, METRICS, FAILURE, BAD_BATCH)
ARCHIVING = ".aside"  # being moved to earlier-N


@dataclass
class Run:
    """A run folder.

    Attributes:
        summary: None until the run is finished.
        is_main_process: False in ranks other than 0, which write nothing here.
        start_from: the checkpoint to resume from.
        own_checkpoint: it is this run's own, so that its metrics and its loggers' runs continue too.
    """

    folder: Path
    summary: RunSummary | None = None
    is_main_process: bool = True
    start_from: Path | None = None
    own_checkpoint: bool = False

    @property
    def best(self) -> Path:
        """The checkpoint of the best validation."""
        return self.folder / CHECKPOINTS / BEST

    def start(self, config: str) -> None:
        """Start or resume: write the resolved config, and remove an earlier attempt's traceback."""
        if self.is_main_process:
            write_text(self.folder / CONFIG, config)
            (self.folder / FAILURE).unlink(missing_ok=True)

    def finish(self, summary: RunSummary) -> None:
        """Finish the run by writing its summary."""
        self.summary = summary
        if self.is_main_process:
            write_text(self.folder / SUMMARY, summary.to_json())

    def reread(self) -> None:
        """Reload the summary, which another process wrote."""
        self.summary = summary_if_finished(self.folder)


@contextmanager
def open_run_folder(folder: str | Path, identity: str, overwrite: bool, resume: str = AUTO) -> Iterator[Run]:
    """Lock a run folder, for a new run, a run to resume, or a run that is finished with the same settings.

    An unfinished run with the same settings resumes from its `last.ckpt`, unless `resume` is "none". A run that cannot
    be resumed (or is finished, with `overwrite`) is moved to `earlier-N` inside. An attempt that ends before it has
    saved anything leaves the folder as it was, or none, apart from the traceback of an unexpected error.

    Args:
        overwrite: run a finished run again; an unfinished one is still resumed.
        resume: "auto", "none", or the checkpoint or run folder of another run that a new one resumes from.

    Raises:
        UserError: another job has locked the folder, it holds a finished run with other settings, or the checkpoint to
            resume from is missing or damaged.
    """
    folder = Path(folder)
    with exclusive_lock(folder, "the run folder"):
        remove_partial(folder)
        if (folder / ARCHIVING).is_dir():
            _archive(folder)  # the process that started this was killed
        summary = None if overwrite else summary_if_finished(folder)
        if summary is None:
            run, aside = _unfinished(folder, identity, resume)
            try:
                yield run
            except BaseException:
                if not any(path.name.startswith(ATTEMPT_FILES) for path in folder.iterdir()):
                    _leave_as_found(folder, aside)
                raise
            return
        if summary.fingerprints.run != identity:
            raise UserError(
                f"{folder} holds a finished run with other settings: choose name=..., or overwrite=true "
                "(the old one is kept in a folder inside)"
            )
        yield Run(folder, summary)


def _leave_as_found(folder: Path, aside: Path | None) -> None:
    """Remove the files of an attempt that trained nothing, which a report would take for an unfinished run."""
    with suppress(OSError):  # the error that ended the attempt is reported instead
        for path in folder.iterdir():
            if path.name != LOCK and not path.name.startswith("earlier-"):
                rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in aside.iterdir() if aside else ():
            path.rename(folder / path.name)
        if aside:
            aside.rmdir()
        if not any(path.name != LOCK for path in folder.iterdir()):
            (folder / LOCK).unlink()  # whoever has opened it meanwhile is refused by `held`
            folder.rmdir()


def _unfinished(folder: Path, identity: str, resume: str) -> tuple[Run, Path | None]:
    """The run to start or resume, and the folder that an earlier one was moved to."""
    own = folder / CHECKPOINTS / LAST
    # With a summary beside it the run is finished, and is to be run again.
    if resume != NONE and own.is_file() and not (folder / SUMMARY).is_file() and _belongs_to(own, identity):
        return Run(folder, start_from=own, own_checkpoint=True), None
    other = None if resume in (AUTO, NONE) else _of_another_run(Path(resume), folder)
    aside = _archive(folder)
    return Run(folder, start_from=other), aside


def _belongs_to(checkpoint: Path, identity: str) -> bool:
    """Whether a checkpoint belongs to the run with this fingerprint."""
    try:
        return bool(read_checkpoint(checkpoint)["fbm"]["fingerprints"].get("run") == identity)
    except UserError as error:
        raise UserError(f"{error}; resume=none starts over (the old files are kept in a folder inside)") from error


def _of_another_run(named: Path, folder: Path) -> Path:
    checkpoint = named / CHECKPOINTS / LAST if named.is_dir() else named
    if not checkpoint.is_file():
        raise UserError(f"resume={named}: there is no {checkpoint if named.is_dir() else 'such checkpoint'}")
    if checkpoint.resolve().is_relative_to(folder.resolve()):
        raise UserError(
            f"resume={named} is this run's own folder: resume=auto resumes it with the same settings, another "
            "name=... makes it another run"
        )
    return checkpoint


def _archive(folder: Path) -> Path | None:
    """Move the files of a run to `earlier-N`; if this is killed, the next attempt completes it.

    Returns:
        The new folder, None if there was nothing to move.
    """
    own = {".hydra", LOCK, ARCHIVING}  # Hydra has written this job's already
    old = [path for path in folder.iterdir() if path.name not in own and not path.name.startswith("earlier-")]
    if not old and not (folder / ARCHIVING).is_dir():
        return None
    (folder / ARCHIVING).mkdir(exist_ok=True)
    for path in old:
        path.rename(folder / ARCHIVING / path.name)
    kept = next(path for number in count(1) if not (path := folder / f"earlier-{number}").exists())
    return (folder / ARCHIVING).rename(kept)
