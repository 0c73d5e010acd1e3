"""The options of an extraction."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fbm.data.decoding.decoders import check_decoder
from fbm.data.decoding.video import DECODERS, Decoder
from fbm.utils.errors import UserError
from fbm.utils.suggest import did_you_mean

PARTS = ("all", "each", "motion", "foreground", "background")
POOLS = ("mean", "none")
DEVICES = ("auto", "cpu", "cuda")
ENDINGS = (".npz", ".parquet")


@dataclass(frozen=True)
class Options:
    """How features are made, and how the work is done.

    Attributes:
        stride: frames between the starts of two clips; None is those that a clip spans: no overlap, and only the end
            of a video that fills no clip is left out.
        part: "all" channels, one of the three parts, or "each" in a column of its own. Only checkpoints of
            task=disentangle have parts.
        pool: "mean" over the h x w positions gives C values per clip, which suit most uses and are little to store;
            "none" keeps all C*h*w, in the order that fbm's own classifier sees.
        decoder: "pyav", "decord" or "torchcodec".
        batch: clips in a batch. It changes the speed and the memory, not the features.
        device: "auto" uses a GPU if there is one.
        workers: decoding processes; None is one per core, at most 8.
        timeout: seconds without a frame after which a file has failed.
        skip_unreadable: skip unreadable videos instead of failing.
        overwrite: replace an output that holds other features.

    Raises:
        UserError: a value that is not allowed.
    """

    stride: int | None = None
    part: str = "all"
    pool: str = "mean"
    decoder: Decoder = "pyav"
    batch: int = 16
    device: str = "auto"
    workers: int | None = None
    timeout: float = 60.0
    skip_unreadable: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (("part", PARTS), ("pool", POOLS), ("device", DEVICES)):
            value = getattr(self, name)
            if value not in allowed:
                raise UserError(f"{name}={value!r} is not one of {', '.join(allowed)}{did_you_mean(value, allowed)}")
        check_decoder(self.decoder)
        for name in ("stride", "batch", "workers"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise UserError(f"{name}={value}: it should be a whole number of at least 1")
        if not self.timeout > 0:
            raise UserError(f"timeout={self.timeout}: it should be a number of seconds above 0")


def check_out(out: Path) -> None:
    """Reject an impossible output before any work.

    Raises:
        UserError: the suffix is not a known format, or the library of the format is not installed.
    """
    if out.suffix.lower() not in ENDINGS:
        raise UserError(f"{out}: features are written as .npz or .parquet; choose another --out")
    if out.is_dir():
        raise UserError(f"{out} is a folder; choose another --out")
    if out.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise UserError(f"{out}: Parquet needs pyarrow: pip install 'fbm-video[parquet]', or write .npz") from error


def add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that applies a network to videos, with the defaults of `Options`."""
    add, default = parser.add_argument, Options()
    add("--decoder", choices=DECODERS, default=default.decoder, help="of the videos, see docs/decoders.md")
    add("--batch", type=int, default=default.batch, metavar="N", help="clips in a batch (default: %(default)s)")
    add("--device", choices=DEVICES, default=default.device, help="auto takes a GPU where there is one")
    add("--workers", type=int, metavar="N", help="decoding processes (default: one a core, at most 8)")
    add("--timeout", type=float, default=default.timeout, metavar="SECONDS", help="without a frame, a file is given up")
