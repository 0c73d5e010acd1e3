"""A run ready to be measured: it needs no data, and leaves no files."""

import io
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from omegaconf import open_dict

from benchmarks.made_store import make_store
from fbm.config.compose import compose
from fbm.config.instantiate import check_run
from fbm.training.components import Components, build_components
from fbm.utils.machine import silence_lightning

CHUNK = 34  # frames of a made video: one chunk and two to spare


@contextmanager
def prepared(settings: list[str], batches: int) -> Iterator[Components]:
    """The parts of a run on a store of noise with so many training batches, which writes no checkpoints."""
    with (
        tempfile.TemporaryDirectory() as place,
        redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        silence_lightning()
        warnings.simplefilter("ignore")  # that an epoch is short, that there is no validation: both as wanted
        config = compose([*settings, f"run_dir={place}/run", "logger=csv", "callbacks.progress=null"])
        if "generate" in config.data:
            config.data.generate = None  # what makes videos needs packages that training does not
        videos = batches * config.data.batch_size
        make_store(Path(place, "store"), videos, config.data.size, max(CHUNK, config.data.chunk_frames))
        config.data.store, config.data.source = f"{place}/store", None  # the store as it is, of whatever data set
        config.trainer.max_epochs = 1
        for name in ("gallery", "probes", "confusion", "early_stopping"):  # once in many epochs, or steps
            config.callbacks[name] = None
        config.callbacks.checkpoint = config.callbacks.last = None  # at the paper's size 2 GiB
        check_run(config)
        with open_dict(config.trainer):
            config.trainer.enable_checkpointing = False  # Lightning would write one of its own
        yield build_components(config, "bench")
