"""`fbm masks`: unsupervised masks of any video files, as pictures. Needs no data set and no frame store."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fbm.data.datasets.inputs import Inputs, Skipped, Video, check_any_video, classify_files, find_files, video_at
from fbm.data.datasets.walk import File, video_names
from fbm.data.masks.frame_folder import PICTURES, is_picture
from fbm.utils.errors import UserError, parsed
from fbm.utils.files import exclusive_lock
from fbm.utils.messages import list_faults
from fbm.utils.progress import progress


def parser() -> argparse.ArgumentParser:
    """The command line of `fbm masks`."""
    parser = argparse.ArgumentParser(
        prog="fbm masks",
        description="Masks of what moves unlike the camera: a PNG file a frame, and a contact sheet a video.",
        epilog="Masks go to OUT/NAME/; the names of a folder's videos begin with its own. `fbm prepare data=folder "
        "data.folders=[FOLDER] masks=files masks.source.folder=OUT` reads them; data=ucf101 reads those of its folder "
        "UCF-101 with masks.source.folder=OUT/UCF-101. Finished videos are skipped; interrupted, the same "
        "command resumes.",
    )
    add = parser.add_argument
    help_inputs = "videos, folders of videos, lists (.txt, .csv) of videos; a folder of pictures alone is a video"
    add("inputs", nargs="+", type=Path, metavar="VIDEO", help=help_inputs)
    add("--out", type=Path, default=Path("masks"), metavar="FOLDER", help="where the masks go (default: %(default)s)")
    add("--workers", type=int, metavar="N", help="videos at a time (default: one a core)")
    add("--timeout", type=float, metavar="SECONDS", help="that one video may take (default: any)")
    add("--overwrite", action="store_true", help="make the masks of finished videos again")
    return parser


def main(argv: list[str]) -> int:
    """Run `fbm masks`; returns 0 if all masks were computed, else raises a UserError."""
    asked = parsed(parser(), argv)
    if asked.workers is not None and asked.workers < 1:
        raise UserError(f"--workers {asked.workers}: it should be a whole number of at least 1")
    if asked.timeout is not None and not asked.timeout > 0:
        raise UserError(f"--timeout {asked.timeout:g}: it should be a number of seconds above 0")
    found = find_inputs(asked.inputs, asked.out)
    for line in found.skip_lines:
        print(line)
    from fbm.data.decoding.video import VideoError
    from fbm.data.masks.unsupervised.settings import Settings
    from fbm.data.masks.video import make_masks
    from fbm.utils.process import CrashedError, in_processes

    folders = {video: asked.out / video.name_in_store for video in found.videos}
    failed: dict[Video, str] = {}
    frames = masked = 0
    with exclusive_lock(asked.out, "the folder of masks"):
        waiting = [video for video, folder in folders.items() if asked.overwrite or not folder.is_dir()]
        tasks = [(video, (video.path, folders[video], Settings()), asked.timeout) for video in waiting]
        with (
            progress("masks", len(waiting), "videos") as advance,
            in_processes(make_masks, tasks, asked.workers) as finished,
        ):
            for video, answer in finished:
                advance()
                try:
                    made = answer()
                except VideoError as error:
                    failed[video] = error.reason
                except TimeoutError:
                    failed[video] = f"not done within {asked.timeout:g} s (--timeout)"
                except CrashedError as error:
                    failed[video] = f"the decoder crashed ({error})"
                else:
                    frames += made.frames
                    masked += made.masked
    which = list_faults([f"{video.name}: {reason}" for video, reason in failed.items()])
    done = len(waiting) - len(failed)
    print(
        f"{asked.out}: masks of {done} videos, {masked:,} of their {frames:,} frames have a foreground; "
        f"{len(folders) - len(waiting)} were there already, {len(failed)} cannot be read"
        + (f"; {len(found.skipped)} files that are no videos skipped" if found.skipped else "")
    )
    if failed:
        raise UserError(f"{len(failed)} of {len(folders)} videos have no masks{which}")
    return 0


def find_inputs(inputs: Sequence[Path], out: Path) -> Inputs:
    """The videos of the inputs, including folders of pictures, and skipped files; `out` itself is not searched.

    Raises:
        UserError: an input does not exist or has no video, or masks of one video would be among those of another.
    """
    files = find_files(inputs, {os.path.realpath(out)})
    pictures = {file: None for file in files if file.from_folder and is_picture(file.path)}
    found = classify_files([file for file in files if file not in pictures])
    filmed = {video.path.parent for video in found.videos}
    folders = {file.path.parent: File(file.path.parent, file.parts[:-1]) for file in pictures}
    folders = {path: file for path, file in folders.items() if path not in filmed}
    # A damaged picture among others is reported when its folder is read.
    skipped = [o for o in found.skipped if not (o.path.parent in folders and o.path.suffix.lower() in PICTURES)]
    skipped += [Skipped(file.path, "a picture beside videos") for file in pictures if file.path.parent in filmed]
    made = Inputs([*found.videos, *_as_videos(list(folders.values()), found.videos)], skipped)
    check_any_video(inputs, made)
    return made


def _as_videos(folders: list[File], videos: list[Video]) -> list[Video]:
    """Folders of pictures as videos, with names that differ from those of the other videos."""
    names = {video.name_in_store.casefold() for video in videos}
    taken = names | {str(place) for name in names for place in PurePosixPath(name).parents}
    made = [video_at(folder.path, name) for folder, name in zip(folders, video_names(folders, taken), strict=True)]
    for one in made:
        if any(str(place).casefold() in names for place in PurePosixPath(one.name_in_store).parents):
            raise UserError(f"the masks of {one.path} would go between those of the video beside it: rename the folder")
    return made
