"""What it costs to decode clips from video files, measured before it is paid."""

import time

from fbm.data.clips import ClipDataset, SampleKey, evenly_spaced

CLIPS, SECONDS = 16, 2.0  # measured at most
# Ratios of docs/benchmarks.md.
STORED = "a store with data.frames=jpeg gives 6 to 15 times as many, data.frames=raw 130 to 155 times (docs/store.md)"


def reading_cost(clips: ClipDataset) -> str:
    """A line with the clips per second that one process reads, if the store has no frames; else nothing.

    Raises:
        StoreError: a video is not as it was prepared.
    """
    if clips.store.kind.stored or not len(clips):
        return ""
    began, count = time.perf_counter(), 0
    for sample in evenly_spaced(len(clips), CLIPS):
        clips.batch([SampleKey(0, sample)])
        count += 1
        if time.perf_counter() - began > SECONDS:
            break
    rate = count / (time.perf_counter() - began)
    clips.store.close()  # a loader's workers open what they read
    return f"data.frames=files: a process decodes about {rate:.3g} clips per second here; {STORED}"
