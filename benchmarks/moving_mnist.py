"""Moving MNIST, 10 frames to 10, scored as OpenSTL scores it.

    python benchmarks/moving_mnist.py MNIST OUT [--form film] [--steps 3000] [--test 10000] [--json FILE]

MNIST is a folder with MNIST's own files (and the published mnist_test_seq.npy, where it is there: then that is the test
set; else as many sequences drawn as it was). The next-frame network sees 10 frames and goes on with 10 of its own. MSE
is the squared error of grey values in [0, 1], summed over the 64x64 pixels of a frame, SSIM that of a frame, both
averaged over frames and sequences (OpenSTL, openstl/core/metrics.py). OUT holds the training, which goes on where it
was stopped. "copy last" repeats the tenth frame.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from moviola.core.ranges import from_network, to_network
from moviola.data.grammar import Grammar
from moviola.data.loader import Clip, Histories
from moviola.data.sources import open_source
from moviola.metrics.functional.paired import ssim
from moviola.models.nextframe import NextFrame, NextFrameConfig, NextFrameNetwork, make_next_frame, push
from moviola.training.distributed import join
from moviola.training.loop import Trainer, TrainerConfig
from moviola.training.objectives.nextframe import NextFrameObjective, NextFrameObjectiveConfig
from moviola.training.schedule import Schedule

SEEN, ASKED = 10, 10


class Sequences:
    """Sequences of one split, drawn as they are needed; all have one caption, which says nothing."""

    grammar = Grammar.from_captions(["two digits"])

    def __init__(self, path: Path, split: str) -> None:
        self.source = open_source(f"moving-mnist:{path}#{split}")

    def __len__(self) -> int:
        return len(self.source)

    def frames(self, number: int) -> np.ndarray:
        """Return sequence `number`, uint8 (20, 64, 64, 3)."""
        return self.source.read(number).frames

    def draw(self, rng: np.random.Generator) -> Clip:
        """Draw one."""
        frames = self.frames(int(rng.integers(len(self))))
        slots = np.zeros(len(self.grammar.sizes), np.int64)
        return Clip(slots, len(frames), cyclic=False, read=lambda index: frames[index])


def settings(form: str, steps: int) -> tuple[NextFrameConfig, NextFrameObjectiveConfig, TrainerConfig]:
    """Return the network, its losses and its training."""
    slots = Sequences.grammar.sizes
    if form == "film":  # a digit moves by up to 3.6 px a frame
        model = NextFrameConfig(slots=slots, widths=(32, 64, 96, 160), reach=4)
        objective = NextFrameObjectiveConfig(
            learning_rate=1.5e-3,
            absolute=0.2,
            edges=0.2,
            square=1,
            noise=0.05,
            unroll=3,
            unroll_from=2 * steps // 3,
            through=True,
        )
    else:
        model = NextFrameConfig.make({"form": form, "slots": slots, "channels": 1})
        objective = NextFrameObjectiveConfig(learning_rate=5e-4, absolute=0, edges=0, square=1, noise=0.05)
    trainer = TrainerConfig(
        steps=steps, batch=16, precision="bf16", channels_last=True, threads=1, sample_every=0, save_every=250,
        tensorboard=False, schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
    )  # fmt: skip
    return model, objective, trainer


def trained(form: str, steps: int, path: Path, out: Path) -> NextFrameNetwork:
    """Train, or go on with it; return the averaged network."""
    if (out / "next").is_dir():
        return NextFrame.from_pretrained(out / "next")
    model, losses, config = settings(form, steps)
    torch.manual_seed(0)
    objective = NextFrameObjective(make_next_frame(model), losses)
    samples = Histories(Sequences(path, "train"), SEEN, losses.future, single=0.0, full=0.9)
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, objective, samples, out, join("cpu"))
    trainer.resume()
    trainer.run()
    network = trainer.best_modules()["next"].eval()
    network.save_pretrained(out / "next")  # type: ignore[operator]
    return network  # type: ignore[return-value]


@torch.no_grad()
def continued(network: NextFrameNetwork, clips: np.ndarray) -> np.ndarray:
    """Return the ten frames after the first ten, uint8 (N, 10, 64, 64), of sequences (N, 20, 64, 64, 3)."""
    history = to_network(torch.from_numpy(clips[:, :SEEN]))
    count = torch.full((len(clips),), SEEN)
    slots = torch.zeros(len(clips), len(network.config.slots), dtype=torch.int64)
    made = []
    for _ in range(ASKED):
        frame = network(history, count, slots).clamp(-1, 1)
        history, count = push(history, count, frame)
        made.append(from_network(frame[:, None])[:, 0])
    return torch.stack(made, dim=1).float().mean(dim=-1).round().to(torch.uint8).numpy()


def scores(made: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return the sums over sequences and frames of the squared error a frame and of SSIM, of uint8 (N, 10, 64, 64)."""
    error = ((made.astype(np.float64) - true) / 255) ** 2
    similar = [
        ssim(t[..., None].repeat(3, -1), m[..., None].repeat(3, -1)).sum()
        for m, t in zip(made, true, strict=True)
    ]
    return {"mse": float(error.sum()), "ssim": float(np.sum(similar))}


def main() -> None:
    """Train, predict, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mnist", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--form", choices=("film", "faithful2d", "unet3d"), default="film")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--test", type=int, default=10_000, help="sequences")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    network = trained(args.form, args.steps, args.mnist, args.out)
    test = Sequences(args.mnist, "test")
    number = min(args.test, len(test))
    total = {"copy last": {"mse": 0.0, "ssim": 0.0}, args.form: {"mse": 0.0, "ssim": 0.0}}
    began = time.perf_counter()
    for start in range(0, number, 32):
        clips = np.stack([test.frames(k) for k in range(start, min(start + 32, number))])
        true = clips[:, SEEN:, ..., 0]
        last = np.repeat(clips[:, SEEN - 1 : SEEN, ..., 0], ASKED, axis=1)
        for name, made in (("copy last", last), (args.form, continued(network, clips))):
            for key, value in scores(made, true).items():
                total[name][key] += value / (number * ASKED)
    seconds = time.perf_counter() - began
    print(f"{number} test sequences, {args.steps} training steps of 16, {seconds:.0f} s")
    for name, row in total.items():
        print(f"{name:<12} MSE {row['mse']:8.2f}  SSIM {row['ssim']:.3f}")
    if args.json:
        args.json.write_text(json.dumps({"test": number, "steps": args.steps, **total}, indent=1) + "\n")


if __name__ == "__main__":
    main()
