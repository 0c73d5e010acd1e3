"""Which videos a shard prepares, and how the shards of a store know of each other."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fbm.data.dataset import Rejection, Video
from fbm.data.store.journal import journal, read_journals
from fbm.data.store.manifest import StoredVideo
from fbm.data.store.shards import (
    ListedVideo,
    Shard,
    describe_unfinished,
    finished_rows,
    joined,
    journals,
    remove_shards,
    reopen_all,
    unfinished,
    write_done,
)
from fbm.utils.errors import InUseError, UserError
from fbm.utils.files import exclusive_lock


def listed_video(number, frames=0, fault=None, **more):
    video = Video(f"a b/vidéo {number}\udc80", Path(f"films/{number}.avi"), "", number, "train", frames, fault, **more)
    return ListedVideo(video, frames)


def row(name, reason=""):
    return StoredVideo(name, "", 1, "train", "ok", reason)


@dataclass
class Listed:
    """Lists three videos, and counts how often."""

    videos: list[ListedVideo] = field(default_factory=lambda: [listed_video(number, number) for number in range(3)])
    times: int = 0

    def __call__(self):
        self.times += 1
        return self.videos


def nobody():
    raise AssertionError("it is listed already")


@pytest.mark.parametrize("count", [1, 3, 8])
def test_every_video_is_in_one_part_and_the_parts_have_the_same_number_of_frames(count):
    lengths = [(number * 7919) % 300 + 20 for number in range(500)]
    videos = [listed_video(number, frames) for number, frames in enumerate(lengths)]
    parts = [Shard(number, count).part(videos) for number in range(count)]
    assert sorted((one for part in parts for one in part), key=lambda one: one.group) == [one for one, _ in videos]
    assert all(part == sorted(part, key=lambda one: one.group) for part in parts)
    frames = [sum(one.expected or 0 for one in part) for part in parts]
    assert max(frames) - min(frames) <= 320


def test_videos_of_unknown_length_are_shared_out_and_faults_weigh_nothing():
    fault = Rejection("not_a_video", "a text")
    videos = [listed_video(number, 0, fault if number < 10 else None) for number in range(50)]
    parts = [Shard(number, 4).part(videos) for number in range(4)]
    assert sum(map(len, parts)) == 50
    assert [len([one for one in part if one.fault is None]) for part in parts] == [10] * 4


def test_more_shards_than_videos_leave_some_with_nothing():
    parts = [Shard(number, 5).part([listed_video(0, 9), listed_video(1, 3)]) for number in range(5)]
    assert sorted(map(len, parts)) == [0, 0, 0, 1, 1]


def test_shards_at_the_same_time_list_once_and_the_first_of_another_day_lists_again(tmp_path):
    listed = Listed(
        [
            listed_video(0, 5),
            listed_video(1, 0, Rejection("duplicate", "same file as x"), name_in_use="x"),
            listed_video(2, 7, start=1.5, end=3.0),
        ]
    )
    with joined(tmp_path, Shard(0, 2), listed) as first, joined(tmp_path, Shard(1, 2), nobody) as second:
        assert first == second == listed.videos
    listed.videos = listed.videos[:1]
    with joined(tmp_path, Shard(1, 2), listed) as again:
        assert again == listed.videos
    assert listed.times == 2


def test_a_listing_that_failed_leaves_the_shard_free(tmp_path):
    def fails():
        raise UserError("no such folder")

    with pytest.raises(UserError, match="no such folder"), joined(tmp_path, Shard(0, 2), fails):
        pass
    assert describe_unfinished(tmp_path) is None
    with joined(tmp_path, Shard(0, 2), Listed()) as videos:
        assert len(videos) == 3


def test_who_may_be_there_at_the_same_time(tmp_path):
    with ExitStack() as stack:
        stack.enter_context(joined(tmp_path, Shard(0, 2), Listed()))
        with pytest.raises(InUseError, match=r"shard 0 of 2 of .* is running already"):
            stack.enter_context(joined(tmp_path, Shard(0, 2), nobody))
        with pytest.raises(UserError, match=r"prepare.shards=3, but 1 of prepare.shards=2 are preparing"):
            stack.enter_context(joined(tmp_path, Shard(1, 3), nobody))
        with pytest.raises(InUseError, match=r"the store .* is in use"), exclusive_lock(tmp_path, "the store"):
            pass
    with exclusive_lock(tmp_path, "the store"), pytest.raises(InUseError, match=r"the store .* is in use"):
        stack.enter_context(joined(tmp_path, Shard(0, 2), nobody))
    with joined(tmp_path, Shard(1, 3), Listed()):  # the two are not running any more
        pass


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"data.size": 64, "masks.name": "boxes"}, "data.size=64, but the unfinished .* have data.size=32"),
        ({"data.size": 32, "masks.name": "none"}, "masks.name=none, but .* masks.name=boxes"),
        ({"data.size": 32}, "masks.name=null, but"),
        ({"data.size": 32, "masks.name": "boxes", "data.source.split": [1]}, r"split=\[1\], but .*split=null"),
    ],
)
def test_other_settings_are_refused_while_and_after_another_runs(tmp_path, settings, words):
    own = {"data.size": 32, "masks.name": "boxes"}
    with (
        joined(tmp_path, Shard(0, 2, own), Listed()),
        pytest.raises(UserError, match=words),
        joined(tmp_path, Shard(1, 2, settings), nobody),
    ):
        pass
    with pytest.raises(UserError, match=words), joined(tmp_path, Shard(1, 2, settings), nobody):
        pass
    with joined(tmp_path, Shard(1, 2, own), Listed()):
        pass


def test_what_shards_have_noted_is_there_until_it_is_in_the_manifest(tmp_path):
    with joined(tmp_path, Shard(0, 2), Listed()):
        write_done(tmp_path, Shard(0, 2), [row("a"), row("b")])
        assert (describe_unfinished(tmp_path) or "").startswith("shards 1 of 2 are not finished, 1 of them running; ")
    with joined(tmp_path, Shard(1, 2), Listed()), journal(journals(tmp_path)[0].with_name("journal-2.jsonl")) as append:
        append(row("c"))
    assert unfinished(tmp_path, 2) == [1]
    assert set(finished_rows(tmp_path, 2)) == {"a", "b"}
    assert set(read_journals(journals(tmp_path))) == {"a", "b", "c"}
    write_done(tmp_path, Shard(1, 2), [row("c")])
    assert unfinished(tmp_path, 2) == []
    assert (describe_unfinished(tmp_path) or "").startswith(
        "all 2 shards are finished, but the manifest is not written"
    )
    reopen_all(tmp_path, 2)
    assert unfinished(tmp_path, 2) == [0, 1]
    assert set(read_journals(journals(tmp_path))) == {"a", "b", "c"}
    remove_shards(tmp_path)
    assert (journals(tmp_path), describe_unfinished(tmp_path)) == ([], None)


def test_a_shard_that_starts_again_is_unfinished_and_keeps_its_rows(tmp_path):
    with joined(tmp_path, Shard(0, 1), Listed()):
        write_done(tmp_path, Shard(0, 1), [row("a")])
    with joined(tmp_path, Shard(0, 1), Listed()):
        assert unfinished(tmp_path, 1) == [0]
        assert set(read_journals(journals(tmp_path))) == {"a"}


def test_a_line_that_was_cut_by_a_kill_costs_no_other(tmp_path):
    path = tmp_path / "journal"
    with journal(path) as append:
        append(row("a"))
        append(row("b", "old"))
    path.write_text(path.read_text()[:-20])
    with journal(path) as append:
        append(row("b", "new"))
    assert {name: found.reason for name, found in read_journals([path, tmp_path / "none"]).items()} == {
        "a": "",
        "b": "new",
    }
