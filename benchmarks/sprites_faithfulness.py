"""Does the embedded model `sprites` draw what the text says?

A classifier is trained on real sprite clips (it is not shipped). It then reads action, facing and every attribute
from clips generated for looks that no network saw in training, beside real clips of the same looks. A second table
changes one word of each prompt and asks whether that reading changes and the others stay.

    python benchmarks/sprites_faithfulness.py PARTS [--model sprites] [--clips 512] [--work DIR]

PARTS is the folder of the Liberated Pixel Cup part sheets. The classifier is kept in --work and trained once (about
40 minutes on one core); a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from slot_reader import fit_reader
from torch import Tensor, nn

from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import normal_rows, numpy_generator
from moviola.data.captioned import SpriteClips
from moviola.data.loader import Sample
from moviola.data.toys import sprites
from moviola.data.toys.sprites_grammar import ACTIONS, FACINGS
from moviola.models.catalog import load
from moviola.models.nextframe import rollout
from moviola.models.textvideo import TextToVideo

FRAMES = 12
GRAMMAR = sprites.GRAMMAR
AWAY, FALLS = FACINGS.index("away from the viewer") + 1, ACTIONS.index("falls") + 1


class Reader(nn.Module):
    """Reads the eight slots from a clip: a small CNN a frame, then a convolution over time."""

    def __init__(self) -> None:
        super().__init__()
        self.frame = nn.Sequential(
            nn.Conv2d(12, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Conv2d(48, 96, 3, stride=2, padding=1),
            nn.BatchNorm2d(96),
            nn.ReLU(),
            nn.Conv2d(96, 96, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(96 * 16, 192),
            nn.ReLU(),
        )
        self.time = nn.Sequential(nn.Conv1d(192, 192, 3, padding=1), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(384 + 192, n) for n in GRAMMAR.sizes)

    def forward(self, clips: Tensor) -> list[Tensor]:
        """Map (B, T, 3, 64, 64) in [-1, 1] to logits, one tensor a slot."""
        b = clips.shape[0]
        x = self.frame(F.pixel_unshuffle(clips.flatten(0, 1), 2)).unflatten(0, (b, -1)).transpose(1, 2)
        t = self.time(x)
        x = torch.cat([x.mean(2), t.amax(2), t.mean(2)], dim=1)
        return [head(x) for head in self.heads]


class RealClips:
    """Whole clips of training looks from their first frame on."""

    def __init__(self, clips: SpriteClips) -> None:
        self.clips = clips

    def sample(self, rng: np.random.Generator) -> Sample:
        """Return clip uint8 (T, H, W, 3) and slots."""
        clip = self.clips.draw(rng)
        return {"clip": clip.read(np.arange(FRAMES)), "slots": clip.slots}


@torch.no_grad()
def read(reader: nn.Module, clips: Tensor) -> np.ndarray:
    """Return the slots read from clips (N, T, 3, 64, 64), int64 (N, 8), values from 1."""
    rows = [torch.stack([logit.argmax(1) + 1 for logit in reader(c)], dim=1) for c in clips.split(32)]
    return torch.cat(rows).numpy()


@torch.no_grad()
def generated(model: TextToVideo, rows: np.ndarray, seed: int = 0) -> Tensor:
    """Make a clip of each row, by its caption in words, rounded to 8 bits as a video would be."""
    rng = numpy_generator(seed)
    said = np.stack([GRAMMAR.fill(GRAMMAR.parse(GRAMMAR.caption(row)), rng) for row in rows])
    out = []
    for start in range(0, len(said), 32):
        slots = torch.from_numpy(said[start : start + 32])
        noise = normal_rows(seed, list(range(start, start + len(slots))), model.first.config.latent)
        frames = rollout(model.next, model.first(slots, noise).clamp(-1, 1), slots, FRAMES)
        out.append(to_network(from_network(frames)))
    return torch.cat(out)


def real(clips: SpriteClips, rows: np.ndarray) -> Tensor:
    """Return the real clips of the rows."""
    return torch.stack([to_network(torch.from_numpy(clips.of(r).read(np.arange(FRAMES)))) for r in rows])


def change_one(rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Change one slot of each row to another value (no rule broken); return the rows and which slot."""
    changed, which = rows.copy(), np.zeros(len(rows), dtype=np.int64)
    for i, row in enumerate(changed):
        while True:
            k = int(rng.integers(len(GRAMMAR.sizes)))
            value = int(rng.integers(GRAMMAR.sizes[k])) + 1
            trial = row.copy()
            trial[k] = value
            if value != row[k] and GRAMMAR.allows(trial):
                changed[i], which[i] = trial, k
                break
    return changed, which


def visible(rows: np.ndarray) -> np.ndarray:
    """Where each slot can be seen at all, bool (N, 8): eyes not from behind."""
    seen = np.ones(rows.shape, dtype=bool)
    seen[:, 5] = rows[:, 7] != AWAY
    return seen


def main() -> None:
    """Print both tables and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", type=Path)
    parser.add_argument("--model", default="sprites")
    parser.add_argument("--clips", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4000, help="of the classifier's training")
    parser.add_argument("--work", type=Path, default=Path("runs/sprites-reader"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    reader = fit_reader(Reader, RealClips(SpriteClips(args.parts)), args.work, args.steps, lowest=1)
    held = SpriteClips(args.parts, held=True)
    rows = np.stack([sprites.random_slots(numpy_generator(1, i), held=True) for i in range(args.clips)])
    model = load(args.model)
    on_real, on_made = read(reader, real(held, rows)), read(reader, generated(model, rows))
    changed, which = change_one(rows, numpy_generator(2))
    on_changed = read(reader, generated(model, changed))
    seen = visible(rows)
    result: dict[str, dict[str, float]] = {}
    print(
        f"{args.clips} clips of held-out looks, {FRAMES} frames each; share read right\nslot      real  generated"
    )
    for k, slot in enumerate(GRAMMAR.slots):
        mask = seen[:, k]
        both_sets = (("real", on_real), ("generated", on_made))
        accuracy = {name: float((got[mask, k] == rows[mask, k]).mean()) for name, got in both_sets}
        result[slot.name] = accuracy
        print(f"{slot.name:<8} {accuracy['real']:>6.3f}  {accuracy['generated']:>6.3f}")
    both = seen & visible(changed)
    index = np.arange(len(rows))
    took = (on_changed[index, which] == changed[index, which])[both[index, which]].mean()
    others = np.ones_like(both)
    others[index, which] = False
    kept = (on_changed == on_made)[others & both].mean()
    result["one word changed"] = {"new value read": float(took), "other readings kept": float(kept)}
    print(f"one word changed: new value read {took:.3f}, other readings kept {kept:.3f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
