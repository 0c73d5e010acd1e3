"""The test clips in every version, made in memory from the store: pairs and random choices are fixed by the seed."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from fbm.data.batch import ClipBatch
from fbm.data.clips import ClipDataset, SampleKey, evenly_spaced
from fbm.evaluation.bias import versions
from fbm.evaluation.probing.factors import groups
from fbm.evaluation.probing.features import labels_of
from fbm.runs.bias import VERSIONS, WITHOUT_MASKS

COLOUR_CLIPS = 200  # of training, whose mean colour stands for what is taken away


class VersionedClips:
    """Test clips, the middle of each chunk, in versions.

    Attributes:
        samples: of the test clips that are measured: those with foreground in every frame, all if there are none.
        possible: names of the versions that can be made of them.

    Args:
        train, test: labelled clips of the two splits; of training the mean colour is taken.
        seed: of pairs, stripes and orders; with the sample's number it decides them.
    """

    def __init__(self, train: ClipDataset, test: ClipDataset, seed: int) -> None:
        self.train, self.test, self.seed = train, test, seed
        masked = [sample for sample in range(len(test)) if self._masks([sample]).any((2, 3)).all()]
        self.samples = masked or [*range(len(test))]
        self.possible = [name for name in VERSIONS if masked or name in WITHOUT_MASKS]

    @cached_property
    def colour(self) -> np.ndarray:
        """The mean colour of training clips, uint8 `3`."""
        keys = [SampleKey(0, sample) for sample in evenly_spaced(len(self.train), COLOUR_CLIPS)]
        means = [self.train.batch([key]).frames.double().mean((0, 1, 2, 3)).numpy() for key in keys]
        made: np.ndarray = np.rint(np.mean(means, 0)).astype(np.uint8)
        return made

    @cached_property
    def partners(self) -> dict[str, dict[int, int | None]]:
        """By version, the clip whose background each clip gets; None where there is none.

        `swap_same` takes a clip of the same class, of another group if there is one, else of another video;
        `swap_other` one of another class.
        """
        samples = np.array(self.samples)
        labels, of_group = np.array(labels_of(self.test, self.samples)), groups(self.test)[samples]
        videos = np.array([self.test.samples[sample][0] for sample in self.samples])
        found: dict[str, dict[int, int | None]] = {"swap_same": {}, "swap_other": {}}
        for at, sample in enumerate(self.samples):
            same = labels == labels[at]
            own = [same & (of_group != of_group[at]), same & (videos != videos[at])]
            for name, choices in (("swap_same", own), ("swap_other", [~same])):
                some = next((samples[choice] for choice in choices if choice.any()), None)
                found[name][sample] = None if some is None else int(self._rng(sample, name).choice(some))
        return found

    def made(self, name: str, samples: Sequence[int]) -> list[int]:
        """Those of the samples that have this version."""
        partner = self.partners.get(name) if name.startswith("swap_") else None
        return [sample for sample in samples if partner is None or partner[sample] is not None]

    def batch(self, name: str, samples: Sequence[int]) -> ClipBatch:
        """The samples in one version; all must have it."""
        batch = self._read(samples)
        frames, masks = batch.frames.numpy(), batch.masks.numpy().astype(bool)
        others = self._backgrounds(name, samples)
        made = np.stack(
            [
                self._version(name, sample, *arrays)
                for sample, *arrays in zip(samples, frames, masks, others, strict=True)
            ]
        )
        return batch._replace(frames=torch.from_numpy(made))

    def _version(
        self, name: str, sample: int, frames: np.ndarray, masks: np.ndarray, background: np.ndarray | None
    ) -> np.ndarray:
        if name == "foreground":
            return versions.foreground_only(frames, masks, self.colour)
        if name == "background":
            return versions.background_only(frames, masks, self.colour)
        if background is not None:
            return versions.on_background(frames, masks, background)
        if name.startswith("stripes"):
            drawn = versions.stripes(frames.shape[1], self._rng(sample, "stripes"))
            made = versions.on_background(frames, masks, drawn)
            return made if name == "stripes" else versions.still(made)
        if name == "still":
            return versions.still(frames)
        if name == "shuffled":
            return versions.shuffled(frames, self._rng(sample, name))
        return frames[::-1] if name == "reversed" else frames

    def _backgrounds(self, name: str, samples: Sequence[int]) -> list[np.ndarray | None]:
        """The backgrounds of the clips' partners, None where the version has no partner."""
        if not name.startswith("swap_"):
            return [None] * len(samples)
        chosen = [self.partners[name][sample] for sample in samples]
        batch = self._read([sample for sample in chosen if sample is not None])
        pairs = zip(batch.frames.numpy(), batch.masks.numpy().astype(bool), strict=True)
        return [versions.background_only(frames, masks, self.colour) for frames, masks in pairs]

    def _read(self, samples: Sequence[int]) -> ClipBatch:
        return self.test.batch([SampleKey(0, sample) for sample in samples])

    def _masks(self, samples: Sequence[int]) -> np.ndarray:
        """`B T H W`, read without the frames."""
        of_video = ((self.test.videos[number].name, start) for number, start in (self.test.samples[s] for s in samples))
        first, span, interval = self.test.slack // 2, self.test.span, self.test.frame_interval
        return np.stack(
            [
                self.test.store.masks(name, slice(start + first, start + first + span, interval))
                for name, start in of_video
            ]
        )

    def _rng(self, sample: int, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, sample, list(VERSIONS).index(name)])
