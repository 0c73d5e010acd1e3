"""What the demo's pretrained features hold: a linear probe a factor, frozen encoders, test groups."""

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import default_collate

from fbm.checkpoints import PREFIX, read_checkpoint
from fbm.data.clips import Clips, Key
from fbm.data.store import FrameStore
from fbm.models.disentangler import split
from fbm.models.encoder import C3DEncoder
from fbm.models.layers import centred

FACTORS = ("motion", "object", "scene")


@torch.no_grad()
def features(encoder: C3DEncoder, clips: Clips) -> Tensor:
    """Of every clip's middle window, `N C h w`."""
    encoder.eval()
    keys = [Key(0, sample) for sample in range(len(clips))]
    batches = [default_collate([clips[key] for key in keys[start : start + 24]]) for start in range(0, len(keys), 24)]
    return torch.cat([encoder(centred(batch.frames)) for batch in batches])


def probe(train: Tensor, labels: Tensor, test: Tensor, truth: Tensor) -> float:
    """Accuracy of multinomial logistic regression (L2 of 0.01) on standardised features."""
    mean, deviation = train.mean(0), train.std(0) + 1e-5
    train, test = (train - mean) / deviation, (test - mean) / deviation
    linear = torch.nn.Linear(train.shape[1], int(labels.max()) + 1)
    torch.nn.init.zeros_(linear.weight)
    optimiser = torch.optim.LBFGS(linear.parameters(), max_iter=200)

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(linear(train), labels) + 0.01 * linear.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return float((linear(test).argmax(1) == truth).float().mean())


def effective_rank(inputs: Tensor) -> float:
    """Exponential of the entropy of the principal components' shares of the variance."""
    shares = torch.linalg.svdvals(inputs - inputs.mean(0)).square()
    shares = (shares / shares.sum()).clamp(min=1e-12)
    return float(torch.exp(-(shares * shares.log()).sum()))


def main() -> None:
    """Print a table, after `make demo`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("data/demo"))
    parser.add_argument("--store", type=Path, default=Path("stores/demo"))
    parser.add_argument("--study", type=Path, default=Path("outputs/demo"))
    given = parser.parse_args()
    store = FrameStore(given.store)
    factors = json.loads((given.root / "factors.json").read_text())["videos"]
    clips = {part: Clips(store, part, 32, 16, seed=0, augment=False) for part in ("train", "test")}
    kinds = {factor: sorted({video[factor] for video in factors.values()}) for factor in FACTORS}
    print("| features | " + " | ".join(FACTORS) + " | effective rank |\n| --- | --- | --- | --- | --- |")
    for name, run in (("random", None), ("autoencoder", "autoencode"), ("ours", "disentangle")):
        torch.manual_seed(0)
        encoder = C3DEncoder(8, 16, store.manifest.size)
        if run is not None:
            state = read_checkpoint(given.study / f"{run}-random-seed0")["state_dict"]
            encoder.load_state_dict({k.removeprefix(PREFIX): v for k, v in state.items() if k.startswith(PREFIX)})
        made = {part: features(encoder, clips[part]) for part in clips}
        parts = {name: lambda maps: maps}
        if run == "disentangle":
            parts |= {
                f"ours, {part}": (lambda maps, part=part: getattr(split(maps), part))
                for part in split(made["train"])._fields
            }
        for label, take in parts.items():
            scores = []
            for factor in FACTORS:
                answers = {
                    part: torch.tensor([kinds[factor].index(factors[c.videos[v].name][factor]) for v, _ in c.samples])
                    for part, c in clips.items()
                }
                inputs = {part: take(made[part]).flatten(1) for part in made}
                scores.append(probe(inputs["train"], answers["train"], inputs["test"], answers["test"]))
            cells = [f"{100 * score:.0f} %" for score in scores] + [f"{effective_rank(inputs['train']):.1f}"]
            print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
