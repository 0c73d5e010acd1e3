"""A report that is written again while its runs are in progress."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fbm.report.make import Report, write, write_or_remove
from fbm.report.page import render_unfinished
from fbm.report.read.progress import progress
from fbm.report.read.runs import RunSet, find
from fbm.runs.files import BIAS, PROBES, SUMMARY
from fbm.utils.files import shown


def watch(paths: Sequence[Path], out: Path, command: str, every: int) -> Report | None:
    """Write the report whenever a run has advanced, until all are finished; its page reloads itself until then.

    Args:
        every: seconds between looks at the runs, and between reloads.

    Returns:
        The last report; None if there is no classification among the runs, only a page that lists them.

    Raises:
        KeyboardInterrupt: Ctrl-C, after a last page that does not reload itself.
        UserError: as for `make`, but not because no run is finished yet.
    """
    last: list[object] = []
    try:
        while (found := find(paths, none_finished=True)).missing:
            if (now := list(_state(found))) != last:
                if not last:
                    page = shown((out / "index.html").resolve())
                    print(f"{page}: renews itself every {every} s; Ctrl-C ends this", flush=True)
                last = now
                _write(found, out, command, every)
                print(f"{time.strftime('%H:%M')} {found.progress}", flush=True)
            time.sleep(every)
    except KeyboardInterrupt:
        _write(find(paths, none_finished=True), out, command)
        raise
    return _write(found, out, command)


def _write(found: RunSet, out: Path, command: str, every: int | None = None) -> Report | None:
    if found.of("classify"):
        return write(found, out, command, every)
    write_or_remove(out / "index.html", render_unfinished(found, every))
    return None


def _state(found: RunSet) -> Iterator[object]:
    """What changes when a run advances, finishes or is analysed."""
    for run in found.runs:
        files = (run.path / name for name in (SUMMARY, PROBES, BIAS))
        yield run.path, [file.stat().st_mtime_ns for file in files if file.exists()]
    for missing in found.missing:
        yield missing.path, progress(missing.path)
