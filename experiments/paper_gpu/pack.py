"""Make of a prepared store a small data set to carry: H.264 videos of the store's size, its masks, its splits.

What is made is a folder like UCF-101's own, which `fbm prepare masks=files` reads. The same store gives the same bytes.
"""

import argparse
import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from fbm.data.datasets.ucf101 import NAME, check_no_leak
from fbm.data.encode import write_list, write_video
from fbm.data.masks.files import save_packed
from fbm.data.store.frame_store import FrameStore
from fbm.utils.errors import UserError
from fbm.utils.progress import progress

ROOT = Path(__file__).resolve().parents[2]
PACK = "pack.json"  # written last: what is in the folder, and how it must come out of it
LISTS = {"train": "trainlist", "val": "trainlist", "test": "testlist"}
SETTINGS = ("split", "validation", "validation_seed")
WORST = 51  # quality of H.264
MIB = 2**20


def pack(store: Path, out: Path, classes: list[str] | None, crf: int) -> dict[str, Any]:
    """Write a data set from the videos of a store; gives what `pack.json` says of it.

    Args:
        classes: which are packed; None packs all of them.
        crf: of H.264, more is smaller and worse.

    Raises:
        UserError: the store has no masks or no labelled videos, a class is not in it, or `out` is something else.
    """
    opened = FrameStore(store)
    manifest = opened.manifest
    if manifest.masks == "none":
        raise UserError(f"{store} has no masks, which pretraining needs: prepare it with masks=unsupervised, say")
    if manifest.selection.get("split") not in (1, 2, 3):
        raise UserError(f"{store} has no official split of UCF-101: prepare it with data=ucf101 data.split=1")
    if classes and (unknown := sorted(set(classes) - set(manifest.classes))):
        raise UserError(f"--classes {','.join(unknown)}: {store} holds {', '.join(manifest.classes)}")
    chosen = [
        video
        for video in sorted(opened.usable, key=lambda video: video.name)
        if NAME.fullmatch(video.name) and video.split in LISTS and (not classes or video.action in classes)
    ]
    check_no_leak(chosen)
    if missing := sorted(set(LISTS) - {video.split for video in chosen}):
        raise UserError(f"{store}: no labelled video to pack is in {' or '.join(missing)}, and a study needs all three")
    if not 0 <= crf <= WORST:
        raise UserError(f"--crf {crf}: H.264 has 0, without losses, to {WORST}")
    if out.exists() and not (out / PACK).is_file():
        raise UserError(f"{out} is there, and is no pack: name another folder")
    making = out.with_name(f".{out.name}.part")  # whole or not at all
    shutil.rmtree(making, ignore_errors=True)
    with progress("pack", len(chosen), "videos") as advance:
        for video in chosen:
            frames = opened.frames(video.name, 0, video.frames)
            # MP4, whatever it is called: the name is UCF-101's, and FFmpeg looks at the content. The bytes of several
            # threads would depend on the machine, and those of x264's processor-specific routines differ from one
            # encoding to the next where frames are small (seen from 32 to 96 pixels).
            options = {"crf": str(crf), "x264-params": "threads=1:cpu-independent=1"}
            rate = max(1, round(video.fps or 25))
            write_video(making / "UCF-101" / f"{video.name}.avi", frames, rate, "mp4", "libx264", options)
            save_packed(making / "masks" / f"{video.name}.npz", opened.masks(video.name, slice(0, video.frames)))
            advance()
    for part in ("trainlist", "testlist"):  # validation is carved out of training again, as it was here
        names = [f"{video.name}.avi" for video in chosen if LISTS[video.split] == part]
        write_list(making / "ucfTrainTestlist" / f"{part}0{manifest.selection['split']}.txt", names)
    content = {
        **{"store": manifest.fingerprint, "size": manifest.size, "masks": manifest.masks, "crf": crf},
        "selection": {key: manifest.selection[key] for key in SETTINGS if key in manifest.selection},
        "bytes": {name: _size(making / name) for name in ("UCF-101", "masks", "ucfTrainTestlist")},
        "videos": [[video.name, video.split, video.frames, video.masked_frames] for video in chosen],
    }
    (making / PACK).write_text(json.dumps(content).replace('["', '\n["') + "\n")
    if out.exists():
        shutil.rmtree(out)
    making.rename(out)
    return content


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def told(content: dict[str, Any]) -> str:
    """What is packed, a class a line."""
    counts = Counter((name.split("/")[0], split) for name, split, _, _ in content["videos"])
    frames: Counter[str] = Counter()
    for name, _, number, _ in content["videos"]:
        frames[name.split("/")[0]] += number
    lines = [
        f"{action}: {', '.join(f'{counts[action, split]} {split}' for split in LISTS)}, {frames[action]:,} frames"
        for action in sorted(frames)
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Pack, weigh, and say what is packed; 1 where it is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path, help="made by fbm prepare, with masks")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "paper_gpu", help="(default: %(default)s)")
    parser.add_argument("--classes", metavar="A,B", help="(default: all of the store's)")
    parser.add_argument("--crf", type=int, default=23, help="quality of H.264, less is better (default: %(default)s)")
    limit = "with the checkout; the wheels to prepare it elsewhere are 37 more (default: %(default)g)"
    parser.add_argument("--limit", type=float, default=26, metavar="MIB", help=limit)
    given = parser.parse_args(argv)
    try:
        content = pack(given.store, given.out, given.classes.split(",") if given.classes else None, given.crf)
    except (UserError, OSError) as error:
        print(f"pack.py: error: {error}", file=sys.stderr)
        return 1
    sys.path.append(str(ROOT / "experiments" / "bare_machine"))
    from carry import checkout_size

    sizes = {**content["bytes"], "checkout": checkout_size(ROOT)}
    total = sum(sizes.values()) / MIB
    print(told(content))
    print(
        f"{given.out}: {', '.join(f'{name} {size / MIB:.1f}' for name, size in sizes.items())}: {total:.1f} MiB in all"
    )
    if total > given.limit:
        print(
            f"pack.py: error: {total:.1f} MiB is more than --limit {given.limit:g}: raise --crf, or name --classes",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
