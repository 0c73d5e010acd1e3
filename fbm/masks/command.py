"""`fbm masks`: unsupervised masks of any video files, as pictures. Needs no data set and no frame store."""

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fbm.data.inputs import find_videos, videos_below
from fbm.errors import UserError
from fbm.files import held
from fbm.masks.picture_folder import picture_folders
from fbm.progress import progress

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fbm.masks.video import Made


class Task(NamedTuple):
    """A video and the folder that its masks go to."""

    video: Path
    folder: Path


class Result(NamedTuple):
    """What came of a task: what was made, or why nothing was."""

    task: Task
    made: "Made | None"
    reason: str = ""


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm masks`."""
    made = argparse.ArgumentParser(
        prog="fbm masks",
        description="Masks of what moves unlike the camera, a PNG picture a frame, and a contact sheet a video.",
        epilog="A file goes to OUT/STEM/, the files of a folder to the same places below OUT: `fbm prepare masks=files "
        "masks.source.folder=OUT` reads them. Videos that are done are left alone; interrupted, the same command "
        "goes on.",
    )
    add = made.add_argument
    help_inputs = "videos, folders of videos, .txt lists of videos; a folder of pictures alone is a video"
    add("inputs", nargs="+", type=Path, metavar="VIDEO", help=help_inputs)
    add("--out", type=Path, default=Path("masks"), metavar="FOLDER", help="where the masks go (default: %(default)s)")
    add("--workers", type=int, metavar="N", help="videos at a time (default: one a core)")
    add("--timeout", type=float, metavar="SECONDS", help="that one video may take (default: any)")
    add("--overwrite", action="store_true", help="make the masks of finished videos again")
    return made


def main(argv: list[str]) -> int:
    """Run `fbm masks`; 0 when all masks are made. UserError for what the user can mend."""
    asked = parser().parse_args(argv)
    if asked.workers is not None and asked.workers < 1:
        raise UserError(f"--workers {asked.workers}: it should be a whole number of at least 1")
    if asked.timeout is not None and not asked.timeout > 0:
        raise UserError(f"--timeout {asked.timeout:g}: it should be a number of seconds above 0")
    tasks = find_tasks(asked.inputs, asked.out)
    with held(asked.out, "the folder of masks"):
        waiting = [task for task in tasks if asked.overwrite or not task.folder.is_dir()]
        failed, frames, masked = [], 0, 0
        with progress("masks", len(waiting), "videos") as advance:
            for result in _results(waiting, asked.workers, asked.timeout):
                advance()
                if result.made is None:
                    failed.append(result)
                else:
                    frames, masked = frames + result.made.frames, masked + result.made.masked
    for result in failed:
        print(f"{result.task.video}: {result.reason}")
    done = len(waiting) - len(failed)
    print(
        f"{asked.out}: masks of {done} videos, {masked:,} of their {frames:,} frames have a foreground; "
        f"{len(tasks) - len(waiting)} were there already, {len(failed)} cannot be read"
    )
    if failed:
        raise UserError(
            f"{len(failed)} of {len(tasks)} videos have no masks, the first is {failed[0].task.video} "
            f"({failed[0].reason})"
        )
    return 0


def find_tasks(inputs: Sequence[Path], out: Path) -> list[Task]:
    """The videos of the inputs, each with its folder.

    Raises:
        UserError: an input is not there, or two videos would go to the same folder.
    """
    tasks: dict[Path, Task] = {}
    for place in inputs:
        for task in _tasks_of(place, out):
            other = tasks.setdefault(task.folder, task)
            if os.path.realpath(other.video) != os.path.realpath(task.video):
                raise UserError(
                    f"{other.video} and {task.video} would both go to {task.folder}: name their folder, "
                    "or another --out for one of them"
                )
    return list(tasks.values())


def _tasks_of(place: Path, out: Path) -> Iterator[Task]:
    folders = list(picture_folders(place, out)) if place.is_dir() else []  # what was made is no video
    for folder in folders:
        yield Task(folder, out / (folder.relative_to(place) if folder != place else folder.resolve().name))
    if not folders or any(videos_below(place)):
        for video in find_videos([place]):
            inside = video.path.relative_to(place) if place.is_dir() else Path(video.path.name)
            yield Task(video.path, out / inside.with_suffix(""))


def _results(tasks: Sequence[Task], workers: int | None, timeout: float | None) -> Iterator[Result]:
    """What comes of each task, as it comes, from child processes that are killed at the time limit."""
    if not tasks:
        return
    from concurrent.futures import as_completed
    from multiprocessing import get_context

    from pebble import ProcessExpired, ProcessPool

    from fbm.data.child import end_with_parent
    from fbm.data.decode import VideoError
    from fbm.masks.unsupervised.settings import Settings
    from fbm.masks.video import make_masks

    count = min(workers or len(os.sched_getaffinity(0)), len(tasks))
    # A fresh interpreter each: forking a process that runs threads can hang, decoders worst of all.
    pool = ProcessPool(max_workers=count, initializer=end_with_parent, context=get_context("spawn"))
    futures: dict[Future[Made], Task] = {
        pool.schedule(make_masks, args=(task.video, task.folder, Settings()), timeout=timeout): task for task in tasks
    }
    try:
        for future in as_completed(futures):
            task = futures[future]
            try:
                yield Result(task, future.result())
            except VideoError as error:
                yield Result(task, None, error.reason)
            except TimeoutError:
                yield Result(task, None, f"not done within {timeout:g} s (--timeout)")
            except ProcessExpired as error:
                yield Result(task, None, f"the decoder crashed (exit code {error.exitcode})")
    finally:
        pool.stop()
        pool.join()
