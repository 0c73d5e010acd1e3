"""From videos to rows: decoding, cutting into clips, and a network's row for each clip."""

import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from fbm.data.datasets.inputs import Video
from fbm.data.decoding.decoders import check_decoder, open_video
from fbm.data.decoding.resize import resized
from fbm.data.decoding.video import Decoder, VideoError
from fbm.evaluation.extract.arrays import frames_of
from fbm.evaluation.extract.decoding import Ended, Failed, Frames, Message, decoded
from fbm.evaluation.extract.gather import ClipBatcher
from fbm.evaluation.extract.options import Options
from fbm.evaluation.extract.parts import Rows
from fbm.utils.errors import UserError
from fbm.utils.messages import list_faults
from fbm.utils.progress import progress

MOST_WORKERS = 8  # more would decode faster than one network runs
BATCH = 16  # clips

Compute = Callable[[Sequence[np.ndarray]], np.ndarray]  # of B clips, B rows


def rows_of_videos(
    videos: Sequence[Video], compute: Compute, size: int, length: int, stride: int, options: Options, label: str
) -> Generator[tuple[Video, Rows | Failed], None, None]:
    """Each video once, in the order in which they are finished; a progress bar shows how many are.

    Close the generator to stop the processes that decode.

    Args:
        compute: see `ClipBatcher`.
        size: of the frames, pixels.
        length, stride: of the clips, frames.
        options: decoder, batch, workers and timeout of the work.
        label: of the progress bar.
    """
    if not videos:
        return
    workers = options.workers or min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    batcher = ClipBatcher(compute, length, stride, options.batch)
    paths = [Path(video.real) for video in videos]
    reading = decoded(paths, size, workers, options.timeout, options.decoder)
    with closing(reading), progress(label, len(videos), "videos") as advance:
        for result in batcher.run(reading):
            yield videos[result.video], result if isinstance(result, Failed) else result.rows
            advance()


def refuse_unreadable(unreadable: Mapping[str, str], videos: int, options: Options, done: str) -> None:
    """Print every unreadable video.

    Args:
        unreadable: reasons by name.
        videos: how many there are in all.
        done: what the others are: "kept".

    Raises:
        UserError: unless they are to be skipped and others are left.
    """
    refused = not options.skip_unreadable or len(unreadable) == videos
    which = list_faults([f"{name}: {reason}" for name, reason in unreadable.items()], "unreadable: ", refused)
    if unreadable and refused:
        remedy = f"the others are {done}: repair these, or skip them with --skip-unreadable"
        left = remedy if len(unreadable) < videos else "there is nothing left"
        raise UserError(f"{len(unreadable)} of {videos} videos cannot be read{which}; {left}")


def rows_of(video: Any, compute: Compute, size: int, length: int, stride: int, decoder: Decoder = "pyav") -> Rows:
    """The rows of one video, in this process.

    Args:
        video: a path, or frames uint8 `T H W 3`, RGB, of any height and width.
        compute, size, length, stride: see `rows_of_videos`.
        decoder: of a path.

    Raises:
        UserError: the video cannot be read, is no such frames, or is shorter than a clip.
    """
    if stride < 1:
        raise UserError(f"stride={stride}: it should be a whole number of frames, at least 1")
    if isinstance(video, str | Path):
        named, messages = str(video), _decoded_here(Path(video), size, decoder)
    else:
        named, messages = "the video", iter([Frames(0, resized(frames_of(video), size)), Ended(0, 0.0)])
    (result,) = ClipBatcher(compute, length, stride, BATCH).run(messages)
    if isinstance(result, Failed):
        raise UserError(f"{named}: {result.reason}")
    return result.rows


def _decoded_here(path: Path, size: int, decoder: Decoder) -> Iterator[Message]:
    """What `decoded` yields, without a child process: a notebook and a plain script can call it."""
    check_decoder(decoder)
    try:
        with open_video(path.expanduser(), decoder) as video:
            for frames in video.decode(size):
                yield Frames(0, frames)
            yield Ended(0, video.header.fps)
    except VideoError as error:
        yield Failed(0, error.reason)
    except OSError as error:  # no permission to look
        yield Failed(0, error.strerror or type(error).__name__)
