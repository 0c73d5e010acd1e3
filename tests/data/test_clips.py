from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from fbm.data.annotations import read_xgtf
from fbm.data.clips import (
    ClipDataset,
    SampleKey,
    chunk_starts,
    draw_window,
    identity_collate,
    subsample_groups,
)
from fbm.data.datamodule import ClipDataModule
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.masks.boxes import rasterise
from fbm.data.sampler import ResumableDistributedSampler, ResumePosition
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.manifest import StoredVideo
from fbm.data.windows import Window


@pytest.mark.parametrize(
    ("frames", "starts"), [(0, []), (31, []), (32, [0]), (33, [0]), (63, [0]), (64, [0, 32]), (100, [0, 32, 64])]
)
def test_chunks_are_whole_and_do_not_overlap(frames, starts):
    assert list(chunk_starts(frames, 32)) == starts


@pytest.fixture
def store(demo_store):
    return FrameStore(demo_store)


def clips(store, split="train", seed=0, chunk=32, clip=16, **options):
    return ClipDataset(store, split, chunk, clip, seed, **options)


@pytest.mark.parametrize("split", ["val", "test"])
def test_the_middle_window_is_taken_where_nothing_is_learnt(store, split):
    taken = clips(store, split)
    for epoch in (0, 7):
        sample = taken[SampleKey(epoch, 0)]
        name = taken.videos[0].name
        assert (sample.frames.numpy() == store.frames(name, 8, 24)).all()
        assert (sample.masks.numpy() == store.masks(name, slice(8, 24))).all()


def test_training_without_augmentation_takes_the_middle_too(store):
    plain = clips(store, random_windows=False)
    assert (plain[SampleKey(3, 0)].frames.numpy() == store.frames(plain.videos[0].name, 8, 24)).all()


def test_later_chunks_of_a_video_start_where_the_last_one_ended(store):
    taken = clips(store, "test", chunk=16, clip=8)
    video = taken.videos[0]
    assert taken.samples[:2] == [(0, 0), (0, 16)]
    assert (taken[SampleKey(0, 1)].frames.numpy() == store.frames(video.name, 20, 28)).all()
    assert taken[SampleKey(0, 1)].video == 0
    assert taken[SampleKey(0, 1)].sample == 1


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_chunks_as_long_as_clips_are_whole_clips_without_an_offset(store, split):
    """`data.chunk_frames=16`, the paper's wording: every frame of a clip, and nothing drawn but the flips."""
    taken = clips(store, split, chunk=16)
    whole = {start for video, start in taken.samples if video == 0}
    assert whole == set(range(0, taken.videos[0].frames - 15, 16))
    for sample, (number, start) in enumerate(taken.samples[:4]):
        true = store.frames(taken.videos[number].name, start, start + 16)
        for epoch in range(4):
            window = draw_window(0, SampleKey(epoch, sample), 0) if split == "train" else Window(0, False, False)
            assert window.start == 0
            seen = taken[SampleKey(epoch, sample)].frames.numpy()
            seen = seen[::-1] if window.reversed else seen
            assert (true == (seen[:, :, ::-1] if window.hflipped else seen)).all()


def test_a_window_depends_on_seed_epoch_and_sample_alone():
    drawn = {(s, e, i): draw_window(s, SampleKey(e, i), 16) for s in range(3) for e in range(8) for i in range(40)}
    np.random.seed(5)
    torch.manual_seed(5)
    again = {place: draw_window(place[0], SampleKey(*place[1:]), 16) for place in reversed(drawn)}
    assert again == drawn
    assert set(Counter(window.start for window in drawn.values())) == set(range(17))
    flips = Counter((window.reversed, window.hflipped) for window in drawn.values())
    assert len(flips) == 4
    assert all(abs(count / len(drawn) - 0.25) < 0.06 for count in flips.values())
    for axis in range(3):  # each of the three matters
        lines: dict[tuple[int, ...], set[Window]] = {}
        for place, window in drawn.items():
            lines.setdefault((*place[:axis], *place[axis + 1 :]), set()).add(window)
        assert sum(len(line) > 1 for line in lines.values()) > 0.9 * len(lines)


def test_no_slack_leaves_one_window():
    assert {draw_window(0, SampleKey(0, sample), 0).start for sample in range(20)} == {0}


def test_flips_act_on_frames_and_masks_together(store):
    train = clips(store, seed=1)
    met = set()
    for key in (SampleKey(epoch, sample) for epoch in range(2) for sample in range(len(train))):
        window = draw_window(1, key, 16)
        met.add((window.reversed, window.hflipped))
        number, chunk = train.samples[key.sample]
        name, start = train.videos[number].name, chunk + window.start
        frames, masks = store.frames(name, start, start + 16), store.masks(name, slice(start, start + 16))
        if window.reversed:
            frames, masks = frames[::-1], masks[::-1]
        if window.hflipped:
            frames, masks = frames[:, :, ::-1], masks[:, :, ::-1]
        sample = train[key]
        assert (sample.frames.numpy() == frames).all()
        assert (sample.masks.numpy() == masks).all()
    assert len(met) == 4


def test_classes_that_depend_on_the_direction_are_not_reversed(store):
    with_both, forward = clips(store, seed=1), clips(store, seed=1, reverse=False)
    keys = [SampleKey(epoch, sample) for epoch in range(2) for sample in range(len(forward))]
    reversals = 0
    for key in keys:
        window = draw_window(1, key, 16)
        assert draw_window(1, key, 16, reverse=False) == window._replace(reversed=False)
        frames = with_both[key].frames
        assert torch.equal(forward[key].frames, frames.flip(0) if window.reversed else frames)
        reversals += window.reversed
    assert 0 < reversals < len(keys)


def test_masks_of_a_sample_are_the_rasterised_boxes(store, demo_root):
    taken = clips(store, "test")
    for sample in (taken[SampleKey(0, number)] for number in range(len(taken))):
        video = taken.videos[int(sample.video)]
        boxes = read_xgtf(demo_root / "annotations" / f"{video.name}.xgtf").boxes
        drawn = rasterise(boxes, video.frames, video.width, video.height, 32)
        assert sample.masks.dtype == torch.uint8
        assert (sample.masks.numpy() == drawn[8:24]).all()
        assert drawn[8:24].any()


def test_labels_are_the_classes_in_order(store):
    taken = clips(store, "test")
    classes = store.manifest.classes
    assert classes == sorted(classes)
    assert [classes[int(taken[SampleKey(0, n)].label)] for n in range(len(taken))] == [v.action for v in taken.videos]


def videos(groups, per_group=2):
    return [
        StoredVideo(f"{action}/v_{action}_g{group:02}_c{clip:02}", action, group, "train", "ok")
        for action in ("Archery", "Biking", "Skiing")
        for group in range(1, groups + 1)
        for clip in range(per_group)
    ]


def test_fewer_labels_are_among_more_and_come_in_whole_groups():
    every = videos(18)
    last: set[str] = set()
    for fraction, groups in ((0.01, 1), (0.1, 2), (0.25, 4), (0.5, 9), (1.0, 18)):
        kept = subsample_groups(every, fraction)
        names = {video.name for video in kept}
        assert last <= names
        assert len(kept) == len(names) == 3 * groups * 2
        assert len({(video.action, video.group) for video in kept}) == 3 * groups
        assert kept == [video for video in every if video.name in names]
        last = names


def test_which_groups_are_labelled_follows_neither_the_order_nor_other_classes():
    every = videos(18)
    kept = {video.name for video in subsample_groups(every, 0.25)}
    assert {video.name for video in subsample_groups(every[::-1], 0.25)} == kept
    alone = [video for video in every if video.action == "Biking"]
    assert {video.name for video in subsample_groups(alone, 0.25)} == {
        name for name in kept if name.startswith("Biking")
    }


def test_a_label_fraction_spares_the_other_splits(store):
    whole, part = ({s: len(clips(store, s, label_fraction=f)) for s in ("train", "val", "test")} for f in (1.0, 0.3))
    assert part["train"] < whole["train"]
    assert (part["val"], part["test"]) == (whole["val"], whole["test"])


def shares(samples, ranks, seed, epoch=0, batch=8, **options):
    """The keys of every rank in an epoch."""
    samplers = [ResumableDistributedSampler(samples, batch, seed, rank, ranks, **options) for rank in range(ranks)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    return [list(sampler) for sampler in samplers]


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("samples", [21, 24])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_training_step_holds_the_same_samples_whatever_the_ranks(samples, ranks, epoch):
    parts = shares(samples, ranks, 3, epoch)
    assert {len(part) for part in parts} == {len(ResumableDistributedSampler(samples, 8, 3, 0, ranks))}
    whole = samples // 8 * 8
    together = [parts[place % ranks][place // ranks] for place in range(whole)]
    assert together == shares(samples, 1, 3, epoch)[0]
    order = np.random.default_rng([3, epoch]).permutation(samples)[:whole]
    assert together == [SampleKey(epoch, sample) for sample in order]  # all of them counted
    assert sum(map(len, parts)) == whole


def test_fewer_samples_than_a_batch_are_one():
    assert sorted(shares(5, 1, 3)[0]) == [SampleKey(0, sample) for sample in range(5)]


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("samples", [4, 21, 24])
def test_in_evaluation_every_sample_counts_once_and_every_rank_has_equally_many(samples, ranks):
    parts = shares(samples, ranks, None)
    assert (
        {len(part) for part in parts}
        == {-(-samples // ranks)}
        == {len(ResumableDistributedSampler(samples, 8, None, 0, ranks))}
    )
    together = [parts[place % ranks][place // ranks] for place in range(len(parts[0]) * ranks)]
    assert together[:samples] == [SampleKey(0, sample) for sample in range(samples)]
    assert all(key == SampleKey(0, samples - 1, counted=False) for key in together[samples:])
    assert all(part[0].counted for part in parts)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("done", [0, 1, 3])
def test_an_epoch_goes_on_with_exactly_what_is_left_and_later_ones_are_whole(ranks, done):
    begun = ResumePosition(epoch=2, steps=done)
    for rank, part in enumerate(shares(24, ranks, 3, epoch=2, position=begun)):
        assert part == shares(24, ranks, 3, epoch=2)[rank][done * 8 // ranks :]
    for epoch in (0, 3):
        assert shares(24, ranks, 3, epoch, position=begun) == shares(24, ranks, 3, epoch)
    assert len(ResumableDistributedSampler(24, 8, 3, 0, ranks, begun)) == 24 // ranks
    fresh = ResumableDistributedSampler(24, 8, 3, 0, ranks, begun)  # asked before it is told the epoch
    assert list(fresh) == shares(24, ranks, 3, epoch=2, position=begun)[0]


def test_the_order_changes_with_seed_and_epoch_and_not_without_a_seed():
    def order(seed, epoch):
        return [key.sample for key in shares(50, 1, seed, epoch, batch=1)[0]]

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
    assert order(None, 0) == order(None, 1) == list(range(50))


def test_a_sample_says_whether_it_counts(store):
    taken = clips(store, "test")
    one, other = taken[SampleKey(0, 3)], taken[SampleKey(0, 3, counted=False)]
    assert (one.counted.tolist(), other.counted.tolist()) == (True, False)
    assert all(torch.equal(a, b) for a, b in zip(one[:-1], other[:-1], strict=True))


def seen(store, root, workers):
    """All that two epochs of training, and one pass over the test clips, hand out."""
    source = UCF101(root)
    module = ClipDataModule(store, 32, "boxes", source, False, 32, 16, 1.0, 4, workers, seed=0)
    train, test = module.train_dataloader(), module.test_dataloader()
    batches = []
    for epoch in range(2):
        assert isinstance(train.sampler, ResumableDistributedSampler)
        train.sampler.set_epoch(epoch)
        batches += list(train)
    batches += list(test)
    return [[field.numpy().tobytes() for field in batch] for batch in batches]


def test_workers_do_not_change_what_is_seen(demo_store, demo_root):
    alone = seen(demo_store, demo_root, 0)
    assert len(alone) == 2 * (18 // 4) + 2
    assert alone[0] != alone[4]  # the second epoch is another one
    assert seen(demo_store, demo_root, 2) == alone
    assert seen(demo_store, demo_root, 4) == alone


@pytest.mark.parametrize("masked", [None, (), (0, -1), (3,)])
def test_a_batch_is_its_samples_and_comes_from_workers_as_it_is(demo_store, masked):
    taken = clips(FrameStore(demo_store), seed=1)
    every = [taken[SampleKey(0, sample)].masks for sample in (5, 0, 3, 9)]
    taken.mask_frames = masked
    keys = [SampleKey(0, sample, counted=sample != 3) for sample in (5, 0, 3, 9)]
    batch = taken.batch(keys)
    for place, key in enumerate(keys):
        for of_batch, of_sample in zip(batch, taken[key], strict=True):
            assert (of_batch[place] == of_sample).all()
    for masks, whole in zip(batch.masks, every, strict=True):
        assert (masks == (whole if masked is None else whole[list(masked)])).all()
    loader = DataLoader(taken, 4, sampler=keys, num_workers=1, collate_fn=identity_collate)
    for _ in range(2):
        (found,) = loader
        assert found.frames.is_shared()
        assert all((some == other).all() for some, other in zip(found, batch, strict=True))
