"""Predicting many videos, and the table or the CSV file of what was predicted."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from fbm.data.datasets.inputs import Video, find_videos
from fbm.evaluation.extract.decoding import Failed
from fbm.evaluation.extract.options import Options
from fbm.evaluation.extract.rows import refuse_unreadable, rows_of_videos
from fbm.evaluation.trained_run import TrainedRun, ranked
from fbm.report.export import Record, write_csv
from fbm.report.numbers import percent
from fbm.report.table import Table, rich_table, wide_console


def predict(run: Path, inputs: Sequence[Path], top: int, csv: Path | None, options: Options) -> None:
    """Print the classes of every video, or write them to `csv`.

    Raises:
        UserError: the run is no classification, or an input does not exist; also after all is written, if videos cannot
            be read and `options.skip_unreadable` is not set.
    """
    classifier = TrainedRun(run, options.device)
    compute, size, chunk = classifier.classifier.function, classifier.classifier.size, classifier.classifier.chunk
    found = find_videos(inputs)
    for line in found.skip_lines:
        print(line)
    predicted: dict[Video, dict[str, float]] = {}
    clips: dict[Video, int] = {}
    unreadable: dict[Video, str] = {}
    reading = rows_of_videos(found.videos, compute, size, chunk, chunk, options, "predict")
    with closing(reading):
        for video, rows in reading:
            if isinstance(rows, Failed):
                unreadable[video] = rows.reason
            else:
                predicted[video] = dict(list(ranked(rows.features, classifier.classes).items())[:top])
                clips[video] = len(rows.starts)
    predicted = {video: predicted[video] for video in found.videos if video in predicted}
    if predicted and csv is not None:
        write_csv(csv, list(_records(predicted, clips)))
        print(f"{csv}: {len(predicted)} videos")
    elif predicted:
        wide_console().print(rich_table(_table(predicted, clips)))
    faults = {video.name: unreadable[video] for video in found.videos if video in unreadable}
    refuse_unreadable(faults, len(found.videos), options, "predicted")


def _records(predicted: dict[Video, dict[str, float]], clips: dict[Video, int]) -> Iterator[Record]:
    for video, classes in predicted.items():
        for rank, (name, probability) in enumerate(classes.items(), 1):
            row = {"video": video.name, "clips": clips[video], "rank": rank, "class": name}
            yield {**row, "probability": f"{probability:.6f}"}


def _table(predicted: dict[Video, dict[str, float]], clips: dict[Video, int]) -> Table:
    most = max(map(len, predicted.values()))
    head = ("video", "clips", *(cell for rank in range(1, most + 1) for cell in (f"class {rank}", "%")))
    rows = [
        (
            video.name,
            str(clips[video]),
            *(cell for name, probability in classes.items() for cell in (name, percent(probability))),
        )
        for video, classes in predicted.items()
    ]
    return Table(head, tuple(rows))
