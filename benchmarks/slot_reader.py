"""Training a network that reads the slots of a caption from clips; what several benchmarks judge generated clips by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from moviola.core.ranges import to_network
from moviola.core.seeds import seeded
from moviola.data.loader import Batch, Samples
from moviola.training.distributed import join
from moviola.training.loop import Context, Terms, Trainer, TrainerConfig
from moviola.training.schedule import Schedule


class Reading:
    """Cross-entropy of every slot, on windows with a little noise or blur: softness alone is no reason to fail."""

    averaged = ("reader",)

    def __init__(self, reader: nn.Module, lowest: int) -> None:
        self.reader, self.lowest = reader, lowest
        self.modules: dict[str, nn.Module] = {"reader": reader}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """One AdamW."""
        return {"reader": torch.optim.AdamW(self.reader.parameters(), lr=1.5e-3)}

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """One step."""
        return context.update("reader", lambda m, i: self._loss(m, context, i), micros)

    def _loss(self, micro: Batch, context: Context, number: int) -> Terms:
        clips, generator = to_network(micro["clip"]), context.generator(number)
        noise, share = torch.rand(2, len(clips), 1, 1, 1, 1, generator=generator)
        soft = F.avg_pool2d(clips.flatten(0, 1), 3, stride=1, padding=1, count_include_pad=False)
        clips = torch.lerp(clips, soft.view_as(clips), 0.3 * share)
        clips = clips + 0.04 * noise * torch.randn(clips.shape, generator=generator)
        pairs = zip(self.reader(clips), (micro["slots"] - self.lowest).unbind(dim=1), strict=True)
        return {"loss": torch.stack([F.cross_entropy(logit.float(), slot) for logit, slot in pairs]).mean()}

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """None."""


def fit_reader(
    reader: Callable[[], nn.Module], samples: Samples, work: Path, steps: int, lowest: int = 0
) -> nn.Module:
    """Train a reader of slots, or take it from `work`, where it goes on if it was stopped.

    Args:
        reader: makes one, of clips (B, T, 3, H, W) in [-1, 1] to logits, one tensor a slot.
        samples: clip, uint8 (T, H, W, 3), and slots, int64 (S,).
        work: folder of its checkpoints.
        steps: of its training.
        lowest: value of a slot that the first logit stands for.
    """
    config = TrainerConfig(
        steps=steps, batch=32, precision="bf16", sample_every=0, save_every=200, threads=1, ema=0.99,
        schedule=Schedule(kind="cosine", warmup=50, floor=0.02), tensorboard=False,
    )  # fmt: skip
    work.mkdir(parents=True, exist_ok=True)
    with seeded(0, "reader"):
        objective = Reading(reader(), lowest)
    trainer = Trainer(config, objective, samples, work, join("cpu"))
    trainer.resume()
    trainer.run()
    fitted = trainer.best_modules()["reader"]
    for name, buffer in fitted.named_buffers():
        buffer.copy_(dict(objective.reader.named_buffers())[name])
    return fitted.eval()
