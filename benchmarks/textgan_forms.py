"""The two forms of the text-to-frame GAN, ours and the authors', after as many steps on the same data.

    python benchmarks/textgan_forms.py digits [--steps 4000] [--batch 32] [--work DIR]
    python benchmarks/textgan_forms.py sprites --data PARTS

Prints, for each form: parameters of the generator and of what it trains against, training steps a second (the median of
the log; one thread, the same precision), and how often each slot of the caption is read right from the drawn frame. A
small classifier reads it, trained here on the first frames of real clips; beside stand its readings of real frames of
clips held out, whose captions are drawn, and the share of the slot's commonest value. A slot that it reads right in
nine of ten real frames can be seen in a frame; "all that can be seen" counts frames in which all of these are right.

--work holds both runs, the classifier and `sheet.png`: a row of real frames, of ours, and of the authors' form, of the
same captions. A second call goes on where the first stopped. `--ours` and `--authors` change a setting of one recipe.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from moviola.core.ranges import from_network, to_network
from moviola.core.seeds import normal_rows, numpy_generator, seeded
from moviola.data.loader import Batch, Clips, FirstFrames, collate
from moviola.models.textgan import FirstFrameGenerator, load_first_frame
from moviola.recipes.base import DataConfig
from moviola.recipes.catalog import find
from moviola.recipes.train import train
from moviola.training.augment import diff_augment
from moviola.training.distributed import join
from moviola.training.loop import Context, Terms, Trainer, TrainerConfig
from moviola.training.schedule import Schedule

KINDS = ("digits", "icons", "sprites", "actions", "videos")
SEEN, COLUMNS = 0.9, 12


class Reader(nn.Module):
    """Frames to logits of every slot; the value 0, "not said", counts as one."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in ((12, 32), (32, 64), (64, 96)):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(96, 128, 3, padding=1), nn.BatchNorm2d(128), nn.ReLU(), nn.AdaptiveMaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 128), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(128, n + 1) for n in sizes)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) in [-1, 1] to logits, one tensor a slot."""
        x = self.body(F.pixel_unshuffle(frames, 2))
        return [head(x) for head in self.heads]


class Reading:
    """Cross-entropy of every slot, on frames moved a little and with a little noise."""

    averaged = ()

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.modules: dict[str, nn.Module] = {"reader": reader}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One AdamW."""
        return {"reader": torch.optim.AdamW(self.reader.parameters(), lr=1.5e-3)}

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """One step."""
        return context.update("reader", lambda m, i: self._loss(m, context, i), micros)

    def _loss(self, micro: Batch, context: Context, number: int) -> Terms:
        generator = context.generator(number)
        frames = diff_augment(to_network(micro["frame"]), generator, "translation")
        frames = frames + 0.04 * torch.randn(frames.shape, generator=generator)
        pairs = zip(self.reader(frames), micro["slots"].unbind(dim=1), strict=True)
        return {"loss": torch.stack([F.cross_entropy(logits, wanted) for logits, wanted in pairs]).mean()}

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """None."""


def trained_reader(clips: Clips, work: Path, steps: int) -> Reader:
    """Train the classifier on first frames of `clips`, or take it from `work`."""
    schedule = Schedule(kind="cosine", warmup=50, floor=0.02)
    config = TrainerConfig(
        steps=steps, batch=32, ema=0.0, sample_every=0, save_every=200, schedule=schedule, tensorboard=False
    )
    work.mkdir(parents=True, exist_ok=True)
    with seeded(0, "reader"):
        reader = Reader(clips.grammar.sizes)
    trainer = Trainer(config, Reading(reader), FirstFrames(clips), work, join("cpu"))
    trainer.resume()
    trainer.run()
    return reader.eval()


@torch.no_grad()
def read(reader: Reader, frames: Tensor) -> np.ndarray:
    """Return the slots read from frames, uint8 (N, H, W, 3), as int64 (N, S)."""
    parts = [[logit.argmax(1) for logit in reader(to_network(part))] for part in frames.split(64)]
    return torch.cat([torch.stack(columns, dim=1) for columns in parts]).numpy()


@torch.no_grad()
def drawn(generator: FirstFrameGenerator, slots: Tensor) -> Tensor:
    """Draw a frame of each row of slots, rounded to 8 bits; uint8 (N, H, W, 3)."""
    out = []
    for start in range(0, len(slots), 64):
        rows = slots[start : start + 64]
        numbers = list(range(start, start + len(rows)))
        out.append(from_network(generator(rows, normal_rows(0, numbers, generator.config.latent))))
    return torch.cat(out)


def trained(name: str, settings: list[str], data: Path | None, work: Path) -> tuple[Path, dict[str, float]]:
    """Train a recipe into `work`; return the folder of the generator, and parameters and steps a second."""
    run = find(name)(data).with_overrides(settings)
    result = train(run, work, resume=True)
    lines = [json.loads(line) for line in (work / "runs/first/log.jsonl").read_text().splitlines()]
    objective, _ = run.build()
    counts = {k: sum(p.numel() for p in m.parameters()) for k, m in objective.modules.items()}
    figures = {
        "generator parameters": counts.pop("first"),
        "other parameters": sum(counts.values()),
        "steps a second": statistics.median(line["steps_per_second"] for line in lines),
    }
    return result.weights, figures


def scores(readings: np.ndarray, slots: np.ndarray, seen: np.ndarray) -> list[float]:
    """Return the share of right readings of every slot and, last, of all slots in `seen` together."""
    right = readings == slots
    return [*right.mean(axis=0).tolist(), float(right[:, seen].all(axis=1).mean()) if seen.any() else 0.0]


def commonest(slots: np.ndarray, seen: np.ndarray) -> list[float]:
    """Return what `scores` would be of a reader that always names the commonest value."""
    modes = np.array([np.bincount(column).argmax() for column in slots.T])
    return scores(np.broadcast_to(modes, slots.shape), slots, seen)


def sheet(rows: list[Tensor], path: Path) -> None:
    """Write the first frames of each of `rows`, uint8 (N, H, W, 3), one row below the other."""
    picture = np.concatenate([np.concatenate(list(row[:COLUMNS].numpy()), axis=1) for row in rows])
    Image.fromarray(picture).save(path)


def settings_of(args: argparse.Namespace) -> dict[str, tuple[str, list[str]]]:
    """Return recipe and settings of each form."""
    both = [f"trainer.steps={args.steps}", f"trainer.batch={args.batch}", "trainer.threads=1"]
    both += ["trainer.sample_every=0", "trainer.tensorboard=false"]
    both += [f"trainer.precision={args.precision}", "trainer.channels_last=true"]
    return {
        "ours": (f"textgan_{args.kind}", both + args.ours),
        "authors": ("textgan_faithful", [f"data.kind={args.kind}", *both, *args.authors]),
    }


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--data", type=Path, help="the data of sprites, actions and videos")
    parser.add_argument("--steps", type=int, default=4000, help="of both forms")
    parser.add_argument("--batch", type=int, default=32, help="of both forms")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16", help="of both forms")
    parser.add_argument("--reader-steps", type=int, default=1500, help="of the classifier's training")
    parser.add_argument("--frames", type=int, default=512, help="drawn and read of each form")
    parser.add_argument("--work", type=Path, default=Path("runs/textgan-forms"))
    parser.add_argument("--ours", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--authors", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args()


def main() -> None:
    """Print the table and one JSON line."""
    args = options()
    torch.set_num_threads(1)
    args.work.mkdir(parents=True, exist_ok=True)
    forms = {name: trained(*how, args.data, args.work / name) for name, how in settings_of(args).items()}
    run = find(settings_of(args)["ours"][0])(args.data).with_overrides(args.ours)
    data: DataConfig = run.data  # type: ignore[attr-defined]
    reader = trained_reader(data.open(), args.work / "reader", args.reader_steps)
    held = FirstFrames(data.open_shown())
    batch = collate([held.sample(numpy_generator(1, i)) for i in range(args.frames)])
    slots = batch["slots"].numpy()
    frames = {"real": batch["frame"]}
    frames |= {name: drawn(load_first_frame(folder), batch["slots"]) for name, (folder, _) in forms.items()}
    readings = {name: read(reader, made) for name, made in frames.items()}
    several = np.array([len(set(column)) > 1 for column in slots.T])
    seen = several & ((readings["real"] == slots).mean(axis=0) >= SEEN)
    table = {"commonest": commonest(slots, seen)}
    table |= {name: scores(found, slots, seen) for name, found in readings.items()}
    sheet(list(frames.values()), args.work / "sheet.png")
    for name, (_, figures) in forms.items():
        print(f"{name:<8} " + ", ".join(f"{value:,.5g} {key}" for key, value in figures.items()))
    print(f"share of {args.frames} frames read right\n{'slot':<22}" + "".join(f"{n:>11}" for n in table))
    labels = [s.name + (" (seen)" if seen[k] else "") for k, s in enumerate(data.open().grammar.slots)]
    for k, label in enumerate([*labels, "all that can be seen"]):
        print(f"{label:<22}" + "".join(f"{column[k]:>11.3f}" for column in table.values()))
    print(json.dumps({"kind": args.kind, "steps": args.steps, "batch": args.batch, "slots": labels,
                      "read": table, **{name: figures for name, (_, figures) in forms.items()}}))  # fmt: skip


if __name__ == "__main__":
    main()
