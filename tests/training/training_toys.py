"""Small objectives for the training loop; as a script: train one of them, and die where told.

python training_toys.py FOLDER none|step|write|rename     (kill -9 in the middle of a step, a file or a rename)
torchrun --nproc-per-node 2 training_toys.py FOLDER ranks
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from moviola.core import atomic
from moviola.training import checkpoint
from moviola.training.distributed import Place, join, leave
from moviola.training.loop import Trainer, TrainerConfig
from moviola.training.losses import hinge_critic, hinge_generator, r1_penalty

ALONE = Place(0, 1, torch.device("cpu"))
CLIPS = 6


def die() -> None:
    """What a power cut does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Pictures:
    """Random pictures of random clips: x float32 (3, 8, 8), index int64 ()."""

    def sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        index = rng.integers(CLIPS)
        return {"x": rng.standard_normal((3, 8, 8)).astype(np.float32), "index": np.int64(index)}


class Base:
    """What most objectives here share."""

    averaged: tuple[str, ...] = ()
    modules: dict[str, nn.Module]

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        (folder / f"{step}.txt").write_text(
            f"{torch.rand(())} {sorted(modules)}"
        )  # draws from the global generator


class Adversarial(Base):
    """Two networks in turns, R1 every third step, dropout (global randomness), batch norm (buffers)."""

    averaged = ("made",)

    def __init__(self, hook=lambda step, where: None) -> None:
        self.made = nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Dropout(0.3), nn.Conv2d(8, 3, 1)
        )
        self.critic = nn.Sequential(
            spectral_norm(nn.Conv2d(3, 8, 3, padding=1)), nn.SiLU(), spectral_norm(nn.Conv2d(8, 1, 8))
        )
        self.modules = {"made": self.made, "critic": self.critic}
        self.hook = hook

    def optimizers(self):
        return {
            "made": torch.optim.Adam(self.made.parameters(), lr=1e-2, betas=(0.5, 0.9)),
            "critic": torch.optim.AdamW(self.critic.parameters(), lr=5e-3, fused=True),
        }

    def step(self, micros, context):
        self.hook(context.step, "start")

        def fake(micro, number, name):
            noise = torch.randn(len(micro["x"]), 2, 8, 8, generator=context.generator(name, number))
            return self.made(noise)

        def critic(micro, number):
            with torch.no_grad():
                made = fake(micro, number, "critic").float()
            loss = hinge_critic(self.critic(micro["x"]).flatten(), self.critic(made).flatten())
            return {"loss": loss}

        def penalty(micro, number):
            real = micro["x"].clone().requires_grad_(True)
            return {"loss": r1_penalty(self.critic(real).float().flatten(), real)}

        def generator(micro, number):
            return {"loss": hinge_generator(self.critic(fake(micro, number, "made").float()))}

        scalars = context.update("critic", critic, micros)
        self.hook(context.step, "middle")
        if context.step % 3 == 0:
            scalars["critic/r1"] = context.update("critic", penalty, micros)["critic/loss"]
        return scalars | context.update("made", generator, micros)


class Decoder(Base):
    """Latents as parameters beside a network, plain SGD with weight decay; a spare layer that never gets a gradient."""

    averaged = ("net",)

    def __init__(self) -> None:
        self.latents = nn.Embedding(CLIPS, 4)
        self.net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 192))
        self.spare = nn.Linear(2, 2)
        self.modules = {"latents": self.latents, "net": self.net, "spare": self.spare}

    def optimizers(self):
        parameters = [p for m in self.modules.values() for p in m.parameters()]
        return {"all": torch.optim.SGD(parameters, lr=0.3, momentum=0.9, weight_decay=0.01)}

    def step(self, micros, context):
        def loss(micro, number):
            made = self.net(self.latents(micro["index"]))
            return {"loss": (made - micro["x"].flatten(1)).square().mean(), "size": made.abs().mean()}

        return context.update("all", loss, micros)


def trainer(objective, folder: Path, place: Place = ALONE, samples=None, **settings) -> Trainer:
    """A quiet trainer of short runs."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "steps": 8,
        "batch": 4,
        "log_every": 1,
        "sample_every": 3,
        "save_every": 2,
        "tensorboard": False,
    }
    return Trainer(
        TrainerConfig.make(values | settings), objective, samples or Pictures(), folder, place, quiet=True
    )


def killed(folder: Path, mode: str) -> None:
    """Train `Adversarial` and be killed at step 5, or in the second checkpoint."""
    torch.manual_seed(1)

    def hook(step: int, where: str) -> None:
        if mode == "step" and (step, where) == (5, "middle"):
            die()

    whole, rename = checkpoint._write, os.replace
    written = []

    def write(path: Path, data: bytes) -> None:
        written.append(path)
        if mode == "write" and len(written) == 3:
            whole(path, data[: len(data) // 2])
            die()
        whole(path, data)

    def replace(source, target):
        if mode == "rename" and str(target).endswith("step-00000004"):
            die()
        rename(source, target)

    checkpoint._write, atomic.os.replace = write, replace
    trainer(Adversarial(hook), folder).run()


def ranks(folder: Path) -> None:
    """Train `Decoder` in every process of torchrun; each rank leaves its tensors and its numbers."""
    place = join("cpu")
    torch.manual_seed(place.rank)  # every rank begins elsewhere; rank 0 must win
    made = trainer(Decoder(), folder, place, steps=5, sample_every=0, accumulate=2)
    made.run()
    tensors, _ = checkpoint.flatten(made.state())
    save_file(tensors, str(folder / f"rank{place.rank}.safetensors"))
    leave()


if __name__ == "__main__":
    where, what = Path(sys.argv[1]), sys.argv[2]
    ranks(where) if what == "ranks" else killed(where, what)
