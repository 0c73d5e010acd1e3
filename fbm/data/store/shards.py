"""The shards of a preparation on several machines: which videos each prepares, and what is known of the others.

- `STORE/shards/videos.jsonl`: settings of all shards and the listed videos, written by the first one;
- `STORE/shards/3-of-8/`: of one shard, its lock, in `journal-*.jsonl` the videos that are finished, while it is
  unfinished, and in `done-*.jsonl` the row of every video of its part, once all are.

A shard has the store's lock together with the others, and its own alone; the manifest is written by whoever has the
store's lock alone. All of this is removed when the manifest is written.
"""

import heapq
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from fbm.data.dataset import Rejection, Video
from fbm.data.store.journal import JOURNAL, as_line, read_journals
from fbm.data.store.manifest import FORMAT, StoredVideo
from fbm.utils.errors import InUseError, UserError
from fbm.utils.files import exclusive_lock, is_locked, shared_lock, write_text

SHARDS = "shards"
LISTING = "videos.jsonl"
DONE = f"done-{FORMAT}.jsonl"


class ListedVideo(NamedTuple):
    """A video of the list that shards share, and the number of frames to decode for it; 0 if it is unknown."""

    video: Video
    frames: int


@dataclass(frozen=True)
class Shard:
    """One of several processes that prepare a store together.

    Attributes:
        number: from 0.
        settings: what has to be the same for all shards, as plain values by key.
    """

    number: int
    count: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"shard {self.number} of {self.count}"

    def folder(self, store: Path) -> Path:
        """Its own folder in a store."""
        return store / SHARDS / f"{self.number}-of-{self.count}"

    def part(self, listed: Sequence[ListedVideo]) -> list[Video]:
        """The videos that it prepares, in their order; the shards' parts have about the same number of frames."""
        known = [frames for _, frames in listed if frames]
        mean = sum(known) / len(known) if known else 1
        frames = [0 if one.video.fault else one.frames or mean for one in listed]
        loads = [(0.0, number) for number in range(self.count)]
        mine = []
        # The longest first, each to the shard with the fewest frames so far.
        for place in sorted(range(len(listed)), key=lambda place: -frames[place]):
            load, number = loads[0]
            heapq.heapreplace(loads, (load + frames[place], number))
            if number == self.number:
                mine.append(place)
        return [listed[place].video for place in sorted(mine)]


@contextmanager
def one_at_a_time(store: Path, shard: Shard) -> Iterator[None]:
    """A block that one shard of a store enters at a time while the others wait; no other preparation is running then.

    Raises:
        InUseError: a preparation without shards is running.
    """
    with shared_lock(store, "the store"), _first_of_all(store, shard):
        yield


@contextmanager
def _first_of_all(store: Path, shard: Shard) -> Iterator[None]:
    what = "the folder of shards"
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive_lock(store / SHARDS, what))
        except InUseError:
            print(f"{shard}: waiting for another shard, which lists the videos", flush=True)
            stack.enter_context(exclusive_lock(store / SHARDS, what, wait=True))
        yield


@contextmanager
def joined(store: Path, shard: Shard, list_videos: Callable[[], list[ListedVideo]]) -> Iterator[list[ListedVideo]]:
    """Take part in a preparation, as this shard alone; gives the videos of all shards.

    Only the first of the shards that run at the same time lists them: that may mean to read every file.

    Raises:
        InUseError: this shard or a preparation without shards is running.
        UserError: other shards have other settings, or another number of shards is running.
    """
    folder = shard.folder(store)
    with ExitStack() as stack:
        stack.enter_context(shared_lock(store, "the store"))
        with _first_of_all(store, shard):
            others = [other for other in _folders(store) if other != folder and is_locked(other)]
            _check_others(store, shard, others)
            try:
                stack.enter_context(exclusive_lock(folder, str(shard)))
            except InUseError as error:
                raise InUseError(f"{shard} of {store} is running already, here or on another machine") from error
            _reopen(folder)
            listed = _read_listing(store) if others else None
            if listed is None:
                listed = list_videos()
                _write_listing(store, shard, listed)
        yield listed


def _reopen(folder: Path) -> None:
    """Make a finished shard an unfinished one whose videos are all in its journal."""
    if (folder / DONE).is_file():
        (folder / DONE).replace(folder / JOURNAL)


def _folders(store: Path) -> list[Path]:
    return sorted((store / SHARDS).glob("*-of-*"))


def _check_others(store: Path, shard: Shard, running: Sequence[Path]) -> None:
    if wrong := [folder.name for folder in running if not folder.name.endswith(f"-of-{shard.count}")]:
        raise UserError(
            f"{shard}: prepare.shards={shard.count}, but {len(wrong)} of prepare.shards="
            f"{wrong[0].rpartition('-')[2]} are preparing {store}: wait for them, or give their number"
        )
    settings = _head(store).get("settings", shard.settings)
    for key in sorted(settings.keys() | shard.settings.keys()):
        theirs, own = settings.get(key), shard.settings.get(key)
        if theirs != own:
            raise UserError(
                f"{shard}: {key}={_text(own)}, but the unfinished shards of {store} have {key}={_text(theirs)}: give "
                f"all the same settings, or delete {store / SHARDS} to start over with these"
            )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _head(store: Path) -> dict[str, Any]:
    """The first line of the listing; empty if there is none."""
    try:
        with (store / SHARDS / LISTING).open() as file:
            head: dict[str, Any] = json.loads(file.readline())
            return head
    except (OSError, ValueError):
        return {}


def _read_listing(store: Path) -> list[ListedVideo] | None:
    """The listed videos; None if there is no list."""
    try:
        _, *lines = (store / SHARDS / LISTING).read_text().splitlines()
    except (OSError, ValueError):
        return None
    return [_listed(json.loads(line)) for line in lines]


def _listed(row: dict[str, Any]) -> ListedVideo:
    frames = row.pop("frames")
    fault = None if row["fault"] is None else Rejection(*row["fault"])
    return ListedVideo(Video(**{**row, "path": Path(row["path"]), "fault": fault}), frames)


def _write_listing(store: Path, shard: Shard, listed: Sequence[ListedVideo]) -> None:
    rows = (
        {**asdict(video), "path": str(video.path), "fault": video.fault, "frames": frames} for video, frames in listed
    )
    head = {"count": shard.count, "settings": dict(shard.settings)}
    write_text(store / SHARDS / LISTING, "\n".join(json.dumps(row) for row in (head, *rows)) + "\n")


def write_done(store: Path, shard: Shard, rows: Sequence[StoredVideo]) -> None:
    """Note that a shard has finished, with the rows of its part."""
    write_text(shard.folder(store) / DONE, "".join(map(as_line, rows)))
    (shard.folder(store) / JOURNAL).unlink(missing_ok=True)


def unfinished(store: Path, count: int) -> list[int]:
    """The numbers of the shards that have not finished, of so many."""
    return [number for number in range(count) if not (Shard(number, count).folder(store) / DONE).is_file()]


def finished_rows(store: Path, count: int) -> dict[str, StoredVideo]:
    """The rows of all finished shards, of so many."""
    return read_journals(Shard(number, count).folder(store) / DONE for number in range(count))


def journals(store: Path) -> list[Path]:
    """The files with rows of any shards, the oldest first."""
    found = [path for folder in _folders(store) for path in (folder / JOURNAL, folder / DONE) if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def reopen_all(store: Path, count: int) -> None:
    """Before so many shards are started together, make those unfinished that finished earlier, without a manifest.

    Otherwise the first one to finish would complete them, and the others would begin another preparation.

    Raises:
        InUseError: the store is being prepared.
    """
    with exclusive_lock(store, "the store"):
        for number in range(count):
            _reopen(Shard(number, count).folder(store))


def remove_shards(store: Path) -> None:
    """Remove all that shards have noted, when it is in the manifest."""
    shutil.rmtree(store / SHARDS, ignore_errors=True)


def describe_unfinished(store: Path) -> str | None:
    """A line on a preparation by shards that was not finished, None if there is none."""
    count = _head(store).get("count")
    if count is None:
        return None
    missing = [str(number) for number in unfinished(store, count)]
    if not missing:
        return f"all {count} shards are finished, but the manifest is not written; `fbm prepare` writes it"
    running = sum(is_locked(folder) for folder in _folders(store))
    return (
        f"shards {', '.join(missing)} of {count} are not finished, {running} of them running; the same command resumes "
        "them, and `fbm prepare` without shards finishes on this machine"
    )
