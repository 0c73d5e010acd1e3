"""The spine of `fbm extract`: skip finished videos, extract the rest, merge everything into one file."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from fbm import __version__
from fbm.data.datasets.inputs import Video, find_videos
from fbm.data.decoding.decoders import versions
from fbm.evaluation.extract.decoding import Failed
from fbm.evaluation.extract.network import Network, load_network
from fbm.evaluation.extract.options import Options, check_out
from fbm.evaluation.extract.output import Source, read_meta, table, write
from fbm.evaluation.extract.parts import part_file, parts_folder, read_part, sweep_leftovers, write_part
from fbm.evaluation.extract.rows import refuse_unreadable, rows_of_videos
from fbm.utils.errors import UserError


@dataclass(frozen=True)
class ExtractionResult:
    """The outcome of an extraction.

    Attributes:
        worked_on: videos that were read now; 0 if the output existed.
        unreadable: names of the videos that were skipped, with the reason.
        skipped: files of the folders that are not videos.
    """

    out: Path
    videos: int
    clips: int
    worked_on: int
    unreadable: dict[str, str]
    skipped: int = 0

    @property
    def summary(self) -> str:
        """One line for the terminal."""
        did = f"{self.worked_on} videos read now" if self.worked_on else "nothing to do"
        left_out = f", {len(self.unreadable)} unreadable left out" if self.unreadable else ""
        skipped = f", {self.skipped} files that are no videos skipped" if self.skipped else ""
        return f"{self.out}: {did}; {self.clips:,} clips of {self.videos} videos{left_out}{skipped}"


def extract(checkpoint: Path, inputs: Sequence[Path], out: Path, options: Options) -> ExtractionResult:
    """See `fbm.evaluation.extract.extract`."""
    check_out(out)
    network = load_network(checkpoint, options)
    found = find_videos(inputs)
    videos = found.videos
    for line in found.skip_lines:
        print(line)
    settings = _settings(network, options)
    identity = _identity(settings, videos)
    with parts_folder(out) as folder:
        sweep_leftovers(out)
        if out.exists() and not options.overwrite:
            done = _existing(out, identity)
        else:
            files = {video: part_file(folder, video, settings) for video in videos}
            missing = [video for video in videos if not files[video].is_file()]
            unreadable = _read(network, missing, files, options)
            refuse_unreadable(unreadable, len(videos), options, "kept")
            kept = {video.name: files[video] for video in videos if video.name not in unreadable}
            clips = _merge(
                network,
                kept,
                out,
                {"decoder": versions(options.decoder), "identity": identity, "unreadable": unreadable},
            )
            done = ExtractionResult(out, len(kept), clips, len(missing), unreadable)
        shutil.rmtree(folder)
    return replace(done, skipped=len(found.skipped))


def _settings(network: Network, options: Options) -> str:
    """Fingerprint of everything that decides the rows of a video; with PyAV it is the network's, as it always was."""
    return network.fingerprint if options.decoder == "pyav" else f"{network.fingerprint}-{options.decoder}"


def _identity(settings: str, videos: Sequence[Video]) -> str:
    """Fingerprint of an output: the settings, and every input as it is now."""
    inputs = [(video.name, video.size, video.mtime_ns) for video in videos]
    return hashlib.sha256(json.dumps([settings, inputs]).encode()).hexdigest()[:16]


def _existing(out: Path, identity: str) -> ExtractionResult:
    meta = read_meta(out)
    if meta.get("identity") != identity:
        ours = "identity" in meta
        content = "features of other inputs or settings" if ours else "something that fbm extract did not make"
        raise UserError(f"{out} holds {content}: choose another --out, or --overwrite")
    return ExtractionResult(out, meta["videos"], meta["clips"], 0, meta["unreadable"])


def _read(network: Network, videos: list[Video], files: dict[Video, Path], options: Options) -> dict[str, str]:
    """Extract these videos into their part files; returns the unreadable ones, with the reason."""
    encoder = network.encoder
    reading = rows_of_videos(
        videos, network.features, encoder.frame_size, encoder.span, network.about["stride"], options, "extract"
    )
    unreadable = {}
    with closing(reading):
        for video, rows in reading:
            if isinstance(rows, Failed):
                unreadable[video.name] = rows.reason
            else:
                write_part(files[video], rows)
    order = [video.name for video in videos]
    return {name: unreadable[name] for name in order if name in unreadable}


def _merge(network: Network, kept: dict[str, Path], out: Path, more: dict[str, Any]) -> int:
    """Merge the parts into the output, video by video; returns the number of clips."""
    sources = [Source(name, len(read_part(file).starts), partial(read_part, file)) for name, file in kept.items()]
    clips = sum(source.clips for source in sources)
    width = max(len(source.name) for source in sources)
    meta = {
        **network.about,
        "fbm": __version__,
        "videos": len(sources),
        "clips": clips,
        **more,
    }
    length, columns = network.encoder.span, network.columns
    write(out, lambda: (table(source, length, columns, width) for source in sources), clips, meta)
    return clips
