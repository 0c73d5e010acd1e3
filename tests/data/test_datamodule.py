import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fbm.config.compose import compose
from fbm.config.instantiate import build
from fbm.data.batch import SizedEvaluation
from fbm.data.datamodule import ClipDataModule
from fbm.data.datasets.ucf101 import UCF101
from fbm.data.demo import CLASSES
from fbm.data.sampler import resume_position
from fbm.data.store.array import checksum_of
from fbm.data.store.frame_store import files_of
from fbm.data.store.manifest import MANIFEST, Manifest, read_manifest
from fbm.utils.errors import UserError


def make(store, **changes):
    settings = {
        "size": 32,
        "masks": "boxes",
        "source": UCF101(None),
        "skip_broken": False,
        "chunk_frames": 32,
        "clip_frames": 16,
        "label_fraction": 1.0,
        "batch_size": 4,
        "num_workers": 0,
        "seed": 0,
    }
    return ClipDataModule(store, **{**settings, **changes})


def test_a_store_alone_is_enough(demo_store):
    module = make(demo_store)
    assert module.classes == sorted(CLASSES)
    assert module.samples == {"train": 18, "val": 6, "test": 6}
    assert module.has_masks


@pytest.mark.parametrize("reverse", [True, False])
def test_whether_training_reverses_clips(demo_store, reverse):
    config = compose([f"data.store={demo_store}", f"data.reverse={str(reverse).lower()}"])
    data = build(config.data.module, seed=0)
    assert data.clips["train"].reverse is reverse


def test_batches_have_the_agreed_form(demo_store):
    module = make(demo_store)
    batch = next(iter(module.val_dataloader()))
    assert batch.frames.shape == (4, 16, 32, 32, 3)
    assert batch.masks.shape == (4, 16, 32, 32)
    assert batch.frames.dtype == batch.masks.dtype == torch.uint8
    assert batch.label.dtype == torch.int64
    assert [int(n) for each in module.test_dataloader() for n in each.sample] == list(range(6))


def test_whole_clips_of_16_frames_in_every_split(demo_store):
    """The paper's wording: of 34 frames two clips, where the program's chunks of 32 give one."""
    module = make(demo_store, chunk_frames=16)
    assert module.samples == {"train": 36, "val": 12, "test": 12}
    for loader in (module.train_dataloader(), module.val_dataloader(), module.test_dataloader()):
        batches = list(loader)
        assert {tuple(batch.frames.shape) for batch in batches} == {(4, 16, 32, 32, 3)}
        assert len({int(sample) for batch in batches for sample in batch.sample}) == 4 * len(batches)


@pytest.mark.parametrize(("batch", "steps"), [(4, 4), (18, 1), (40, 1)])
def test_steps_of_an_epoch_are_those_of_the_loader(demo_store, batch, steps):
    module = make(demo_store, batch_size=batch)
    assert module.steps_per_epoch == len(module.train_dataloader()) == steps


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_draw_nothing_from_the_global_generator(demo_store, workers):
    state = torch.get_rng_state()
    module = make(demo_store, num_workers=workers)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        assert len([*loader, *loader]) > 2
    assert torch.equal(torch.get_rng_state(), state)


def trainer_of(rank, ranks, epochs=(0, 0, 0), steps=0, last=False):
    """What is asked of a trainer: ranks, epochs ready, started and done, steps done, whether that was the last."""
    return SimpleNamespace(
        global_rank=rank,
        world_size=ranks,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        fit_loop=SimpleNamespace(
            epoch_progress=SimpleNamespace(current=SimpleNamespace(**dict(zip(PROGRESS, epochs, strict=True)))),
            epoch_loop=SimpleNamespace(
                batch_progress=SimpleNamespace(current=SimpleNamespace(processed=steps), is_last_batch=last)
            ),
        ),
    )


PROGRESS = ("ready", "started", "processed")


@pytest.mark.parametrize(
    ("epochs", "steps", "last", "begun"),
    [
        ((0, 0, 0), 0, False, (0, 0)),  # a run of its own
        ((1, 1, 0), 3, False, (0, 3)),  # left in the middle of the first epoch
        ((5, 5, 4), 3, False, (4, 3)),
        ((5, 5, 4), 4, True, (5, 0)),  # after its last step
        ((5, 5, 5), 4, True, (5, 0)),  # after its end
        ((5, 4, 4), 4, True, (4, 0)),  # at the start of the next one
    ],
)
def test_where_a_fit_begins(demo_store, epochs, steps, last, begun):
    trainer = trainer_of(1, 2, epochs, steps, last)
    assert resume_position(trainer) == begun
    module = make(demo_store)
    module.trainer = trainer
    assert module.train_dataloader().sampler.position == begun
    for loader in (module.val_dataloader(), module.test_dataloader()):
        assert loader.sampler.position == (0, 0)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_a_batch_and_begin_where_they_were_left(demo_store, ranks):
    """18 training clips are four steps of four; of six validation clips a step of four, and two more."""
    whole = [batch.sample.tolist() for batch in make(demo_store).train_dataloader()]
    parts, evaluated = [], []
    for rank in range(ranks):
        module = make(demo_store)
        module.trainer = trainer_of(rank, ranks, (1, 1, 0), 1)
        loader = module.train_dataloader()
        assert len(loader) == 4
        parts.append([batch.sample.tolist() for batch in loader])
        batches = list(module.val_dataloader())
        assert len(batches) == 2
        evaluated += [int(n) for batch in batches for n in batch.sample[batch.counted]]
    assert [[parts[n % ranks][step][n // ranks] for n in range(4)] for step in range(3)] == whole[1:]
    assert sorted(evaluated) == list(range(6))


@pytest.mark.parametrize(
    ("changes", "ranks", "message"),
    [
        ({}, 3, r"data.batch_size=4 is over all ranks: .* multiple of their number, 3"),
        ({"batch_size": 20}, 2, r"18 training clips do not fill one batch of data.batch_size=20 for 2 ranks"),
        ({"batch_size": 7}, 7, r"holds 6 val clips, fewer than the 7 ranks"),
    ],
)
def test_what_ranks_cannot_share_is_refused(demo_store, changes, ranks, message):
    module = make(demo_store, **changes)
    with pytest.raises(UserError, match=message):
        module.rank_batch_size(ranks)
    module.trainer = trainer_of(0, ranks)
    with pytest.raises(UserError, match=message):
        module.setup("fit")
    assert module.rank_batch_size(1) == module.batch_size


def test_how_many_are_evaluated(demo_store):
    module = make(demo_store)
    assert [module.evaluated("val", batches) for batches in (0, 1, 2, 9, None)] == [0, 4, 6, 6, 6]
    assert isinstance(module, SizedEvaluation)


def test_an_incomplete_last_batch_is_dropped_only_in_training_and_where_there_is_another(demo_store):
    assert [len(batch.label) for batch in make(demo_store).train_dataloader()] == [4, 4, 4, 4]
    assert [len(batch.label) for batch in make(demo_store).test_dataloader()] == [4, 2]
    assert [len(batch.label) for batch in make(demo_store, batch_size=40).train_dataloader()] == [18]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"size": 64}, "data.size=32, this run asks for data.size=64"),
        ({"decoder": "decord"}, "data.decoder=pyav, this run asks for data.decoder=decord"),
        ({"masks": "none"}, "masks=boxes, this run asks for masks=none"),
        ({"source": UCF101(None, classes=["Bounce"])}, r"data.classes=present, .* data.classes=\['Bounce'\]"),
        ({"source": UCF101(None, split=2)}, "data.split=1, this run asks for data.split=2"),
        ({"source": UCF101(None, validation=0.3)}, "data.validation=0.1, this run asks for data.validation=0.3"),
        ({"source": UCF101(None, validation="paper")}, "data.validation=0.1, .* data.validation=paper"),
        ({"source": UCF101(None, validation_seed=1)}, "data.validation_seed=0, .* data.validation_seed=1"),
    ],
)
def test_a_store_of_other_settings_is_refused_by_their_name(demo_store, changes, key):
    with pytest.raises(UserError, match=f"was prepared with {key}: run `fbm prepare`"):
        make(demo_store, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_frames": 33}, "data.clip_frames=33"),
        ({"clip_frames": 0}, "data.clip_frames=0"),
        ({"batch_size": 0}, "data.batch_size=0"),
        ({"num_workers": -1}, "data.num_workers=-1"),
        ({"label_fraction": 0.0}, "data.label_fraction=0.0"),
        ({"label_fraction": 1.1}, "data.label_fraction=1.1"),
        ({"chunk_frames": 200}, "no training video of at least 200 frames"),
    ],
)
def test_impossible_settings_are_refused(demo_store, changes, message):
    with pytest.raises(UserError, match=message):
        make(demo_store, **changes)


@pytest.fixture
def changed_store(demo_store, tmp_path):
    """A copy of the store whose rows a function has changed, with the fingerprint that belongs to them."""

    def change(function):
        shutil.copytree(demo_store, tmp_path / "store")
        old = read_manifest(demo_store)
        new = Manifest(old.size, old.masks, old.selection, [function(video) for video in old.videos])
        (tmp_path / "store" / MANIFEST).write_text(new.to_json())
        return tmp_path / "store"

    return change


def test_broken_videos_are_refused_unless_they_are_left_out_on_purpose(changed_store):
    def cut(video):
        return replace(video, status="short", reason="the file is cut") if video.group == 1 else video

    store = changed_store(cut)
    with pytest.raises(UserError, match=r"6 of 30 videos .* \(short: the file is cut\): .*data.skip_broken=true"):
        make(store)
    module = make(store, skip_broken=True)
    assert module.samples["test"] == 0
    assert len(module.classes) == 6  # labels do not move when videos break


def test_a_store_that_leaks_is_refused(changed_store):
    first = "Bounce/v_Bounce_g02_c01"

    def leak(video):
        return replace(video, group=1) if video.name == first else video

    with pytest.raises(UserError, match=r"the splits leak: group g01 of Bounce is in test .* and in"):
        make(changed_store(leak))


def test_without_validation_videos_there_is_no_validation_loader(changed_store):
    store = changed_store(lambda video: replace(video, split="train") if video.split == "val" else video)
    module = make(store)
    assert module.samples["val"] == 0
    assert module.val_dataloader() == []


def test_a_store_of_empty_masks_says_so(changed_store):
    assert not make(changed_store(lambda video: replace(video, masked_frames=0, masks_checksum="x"))).has_masks


def test_training_videos_with_doubtful_masks_are_left_out_by_choice(changed_store):
    store = changed_store(lambda video: replace(video, mask_confidence=0.3 if video.group % 2 else 0.8))
    every, sure = make(store), make(store, least_confidence=0.5)
    assert {video.group % 2 for video in every.clips["train"].videos} == {0, 1}
    assert {video.group % 2 for video in sure.clips["train"].videos} == {0}
    assert sure.samples["test"] == every.samples["test"]
    with pytest.raises(UserError, match=r"no training video .* masks\.least_confidence=0\.9"):
        make(store, least_confidence=0.9)
    with pytest.raises(UserError, match="least_confidence=2"):
        make(store, least_confidence=2)


def cut(store, manifest, row):
    """A stored video without its frames from the 32nd on, a chunk less one."""
    sums = []
    for file in files_of(store, manifest, row):
        content = np.load(file.path)[:31]
        np.save(file.path, content)
        sums.append(checksum_of(content))
    return replace(row, frames=31, checksum=sums[0], masks_checksum=sums[1])


def test_a_class_that_no_clip_has_is_named_and_left_out_by_choice(demo_store, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(demo_store, store)
    manifest = read_manifest(store)
    first, *rest = manifest.classes
    rows = [cut(store, manifest, row) if row.action == first else row for row in manifest.videos]
    (store / MANIFEST).write_text(replace(manifest, videos=rows).to_json())
    kept, without = make(store), make(store, empty_classes="leave_out")
    assert kept.empty_classes == without.empty_classes == [first]
    assert kept.classes == [first, *rest]
    assert without.classes == rest
    for module in (kept, without):
        named = {module.classes[int(label)] for batch in module.train_dataloader() for label in batch.label}
        assert named == set(rest)
    assert make(store, chunk_frames=16).empty_classes == []
    with pytest.raises(UserError, match=r"data.empty_classes=drop: it should be leave_out or null"):
        make(store, empty_classes="drop")
