"""Every mask source, kind of data and task go together and make a step; what cannot is refused in one line."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fbm.config.compose import compose
from fbm.config.instantiate import check_run
from fbm.data.datasets.folders import Folders
from fbm.data.store.manifest import MANIFEST, Manifest, read_manifest
from fbm.training.components import build_components
from fbm.utils.errors import UserError
from fbm.utils.files import write_text
from tests.tiny import settings

pytestmark = pytest.mark.slow
DATA = ("ucf101", "folders", "both")
MASKS = ("boxes", "unsupervised", "files", "none")
TASKS = {
    "disentangle": ("task=disentangle",),
    "wide": ("task=disentangle_wide",),
    "masks": ("task=disentangle_mask",),
    "any frame": ("task=disentangle", "task.target=random"),
    "adversarial": ("task=disentangle", "task.adversarial=0.05", "task.discriminator.width=4"),
    "any frame, adversarial, masks": ("task=disentangle_mask", "task.target=random", "task.adversarial=0.05"),
    "augmented": ("task=disentangle", "augment=field", "optim=adamw", "schedule=warmup_cosine"),
    "autoencode": ("task=autoencode",),
    "contrast": ("task=contrast", "augment=field"),
    "contrast, pasted": ("task=contrast", "task.background=paste", "input=residual"),
    "disentangle, contrast": ("task=disentangle_contrast", "augment=field"),
    "order": ("task=order", "optim=sgd", "base_batch=16"),
    "classify": ("task=classify",),
    "classify, averaged": ("task=classify", "callbacks=ema", "augment=field"),
}
PLACES = {"ucf101": (), "folders": ("data.folders=[some]",), "both": ("data.folders=[some]", "data.root=there")}
BARE = [f"callbacks.{name}=null" for name in ("gallery", "probes", "checkpoint", "last", "early_stopping", "confusion")]
QUICK = (
    "logger=csv",
    "data.batch_size=2",
    "data.num_workers=0",
    "trainer.limit_train_batches=1",
    "trainer.limit_val_batches=0",
)


def told_as(store: Path, place: Path, data: str, masks: str) -> Path:
    """A store of `make_store` that says to be of this data set and these masks."""
    shutil.copytree(store, place)
    if masks == "none":
        shutil.rmtree(place / "masks")
    else:
        (place / "masks" / "boxes").rename(place / "masks" / masks)
    manifest = read_manifest(store)
    root = Path("there") if data == "both" else None
    selection = manifest.selection if data == "ucf101" else Folders([Path("some")], root).selection()
    unlabelled = {"ucf101": (), "folders": manifest.videos, "both": manifest.videos[::2]}[data]
    videos = [
        replace(video, action="", group=number) if video in unlabelled else video
        for number, video in enumerate(manifest.videos)
    ]
    if masks == "none":
        videos = [replace(video, masked_frames=0) for video in videos]
    write_text(place / MANIFEST, Manifest(manifest.size, masks, selection, videos).to_json())
    return place


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("data", DATA)
def test_every_task_makes_a_step(store, data, masks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = told_as(store, tmp_path / "store", data, masks)
    kind = "ucf101" if data == "ucf101" else "folder"
    for name, task in TASKS.items():
        config = compose([f"data={kind}", *PLACES[data], f"masks={masks}", *settings(own), *task, *QUICK, *BARE])
        check_run(config)
        why = None
        if masks == "none" and ("disentangle" in task[0] or "task.background=paste" in task):
            why = "needs masks"
        elif data == "folders" and "classify" in task[0]:
            why = "no training video with a label"
        if why:
            with pytest.raises(UserError, match=why):
                build_components(config, "0")
            continue
        parts = build_components(config, "0")
        before = [weight.detach().clone() for weight in parts.task.parameters()]
        parts.trainer.fit(parts.task, parts.data)
        moved = sum(bool((old != new).any()) for old, new in zip(before, parts.task.parameters(), strict=True))
        assert parts.trainer.global_step == 1, name
        assert moved > 0.9 * len(before), name
