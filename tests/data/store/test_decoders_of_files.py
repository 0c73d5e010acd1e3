"""Stores without frames, whose clips another decoder reads."""

import numpy as np
import pytest

from fbm.data.datasets.ucf101 import UCF101
from fbm.data.decoding import decoders
from fbm.data.store.frame_store import FrameStore
from fbm.data.store.prepare import prepare
from fbm.utils.errors import UserError
from tests.conftest import SIZE
from tests.data.decoding.usable import need


@pytest.mark.parametrize("decoder", ["pyav", "decord", "torchcodec"])
def test_clips_from_the_files_are_those_of_the_raw_store(small_root, tmp_path, decoder):
    need(decoder)
    for frames in ("raw", "files"):
        prepare(UCF101(small_root.path), None, "none", tmp_path / frames, SIZE, 2, 600, decoder=decoder, frames=frames)
    raw, files = FrameStore(tmp_path / "raw"), FrameStore(tmp_path / "files")
    assert raw.manifest.fingerprint == files.manifest.fingerprint
    for video in raw.usable:
        for start in (18, 0, 5, 12):
            ours, theirs = np.zeros((2, 16, SIZE, SIZE, 3), np.uint8)
            raw.fill(video.name, start, ours)
            files.fill(video.name, start, theirs)
            assert (ours == theirs).all()


def test_a_store_whose_decoder_is_not_installed_is_refused_when_it_is_opened(small_root, tmp_path, monkeypatch):
    need("decord")
    prepare(UCF101(small_root.path), None, "none", tmp_path / "a", SIZE, 1, 600, decoder="decord", frames="files")
    monkeypatch.setattr(decoders, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="the decoder decord is not installed: pip install decord"):
        FrameStore(tmp_path / "a")
