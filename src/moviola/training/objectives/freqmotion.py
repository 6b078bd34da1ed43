"""Training the frequency-based motion GAN: logistic loss, lazy R1, optional path lengths, any set of discriminators."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.config import Config
from moviola.core.ranges import to_network
from moviola.data.loader import Batch
from moviola.models.freqmotion import Codes, FreqMotionGenerator, MotionReader
from moviola.models.freqmotion.discriminators import Discriminator
from moviola.training.augment import diff_augment_clips
from moviola.training.loop import Context, Terms
from moviola.training.losses import logistic_critic, logistic_generator, r1_penalty
from moviola.training.previews import preview_clips

GENERATOR, READER = "generator", "reader"
_SHOWN = 8


class FreqMotionObjectiveConfig(Config):
    """Settings of `FreqMotionObjective`.

    Attributes:
        learning_rate, critic_rate: of the Adam optimizers, betas (0, 0.99).
        lazy_adam: correct the discriminators' rate and betas for their penalty steps, r1_every / (r1_every + 1)
            (Karras et al. 2020, StyleGAN2, appendix B).
        r1: weight of the penalty, halved as in its source.
        r1_every: steps between penalties (lazy regularisation; the weight is scaled to match).
        path_length: weight of the path-length penalty; 0 for none (the paper).
        path_every: steps between path-length penalties.
        augment: DiffAugment policy for clips; empty for none.
        span: time units that generated windows may begin in, from -1 on; 0 is the paper's one window [-1, 1). Beyond
            it, the discriminator also sees what a longer video will hold (ours).
        information: weight of the loss of `MotionReader`, which keeps every bank in use; 0 for none (the paper). Needs
            a reader.
    """

    learning_rate: float = Field(default=2e-3, gt=0)
    critic_rate: float = Field(default=2e-3, gt=0)
    lazy_adam: bool = True
    r1: float = Field(default=10.0, ge=0)
    r1_every: int = Field(default=16, ge=1)
    path_length: float = Field(default=0.0, ge=0)
    path_every: int = Field(default=4, ge=1)
    augment: str = "color,translation,cutout,flip"
    span: float = Field(default=0.0, ge=0)
    information: float = Field(default=0.0, ge=0)


@dataclass(frozen=True, eq=False)
class Window:
    """What a discriminator sees in a step.

    Attributes:
        frames: numbers of the frames of each real clip, int64 (B, T).
        times: of the frames that are drawn, (B, T), time units.
        delta: time from one frame to the next, in both, (B,), time units.
    """

    frames: Tensor
    times: Tensor
    delta: Tensor


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the generator makes in a step.

    Attributes:
        clips: (B, T, C, H, W), about [-1, 1].
        styles: w(t), (B, T, style).
        motions: what the reader has to tell apart, of each bank or each part, (B, T, style).
    """

    clips: Tensor
    styles: Tensor
    motions: list[Tensor]


class FreqMotionObjective:
    """Alternating steps: each discriminator (and, when due, its penalty), then the generator against all of them.

    Args:
        generator: to train.
        discriminators: by name; the names must not be "generator".
        config: settings.
        shown: a batch for the preview picture.
        reader: of the motion in frames, trained with the generator; None where `information` is 0.
    """

    averaged: tuple[str, ...] = (GENERATOR,)

    def __init__(
        self,
        generator: FreqMotionGenerator,
        discriminators: dict[str, Discriminator],
        config: FreqMotionObjectiveConfig,
        shown: Batch | None = None,
        reader: MotionReader | None = None,
    ) -> None:
        self.generator, self.discriminators = generator, discriminators
        self.config, self.shown = config, shown
        self.reader = reader
        self.modules: dict[str, nn.Module] = {GENERATOR: generator, **discriminators}
        if reader is not None:
            self.modules[READER] = reader
        if config.path_length:
            self.modules["path_mean"] = _Mean()

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Adam for each network; where the discriminators' penalty is lazy, corrected as the config says."""
        c = self.config
        ratio = c.r1_every / (c.r1_every + 1) if c.lazy_adam and c.r1 else 1.0
        generating = [*self.generator.parameters(), *(self.reader.parameters() if self.reader else ())]
        return {
            GENERATOR: torch.optim.Adam(generating, lr=c.learning_rate, betas=(0.0, 0.99)),
            **{
                name: torch.optim.Adam(d.parameters(), lr=c.critic_rate * ratio, betas=(0.0, 0.99**ratio))
                for name, d in self.discriminators.items()
            },
        }

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """Do one step; see the class."""
        scalars: dict[str, float] = {}
        for name in self.discriminators:
            scalars |= context.update(name, lambda m, i, n=name: self._critic_loss(n, m, context, i), micros)
            if self.config.r1 and (context.step + 1) % self.config.r1_every == 0:
                penalty = context.update(name, lambda m, i, n=name: self._penalty(n, m, context, i), micros)
                scalars[f"{name}/r1"] = penalty[f"{name}/r1"]
        for discriminator in self.discriminators.values():
            discriminator.requires_grad_(False)
        scalars |= context.update(GENERATOR, lambda m, i: self._generator_loss(m, context, i), micros)
        for discriminator in self.discriminators.values():
            discriminator.requires_grad_(True)
        if self.config.path_length and (context.step + 1) % self.config.path_every == 0:
            path = context.update(GENERATOR, lambda m, i: self._path_loss(m, context, i), micros)
            scalars["generator/path"] = path["generator/path"]
        return scalars

    # -- what is drawn ------------------------------------------------------------------------------------

    def _windows(self, name: str, micro: Batch, context: Context, *key: int | str) -> Window:
        """Draw which frames discriminator `name` sees.

        Real clips begin anywhere, each by itself. Those that are drawn begin at one time in the whole micro-batch, so
        that the statistics of the batch compare them at the same instants.
        """
        critic = self.discriminators[name].config
        length, count, batch = micro["frames"].shape[1], critic.frames, len(micro["frames"])
        random, step = context.generator("windows", name, *key), self.generator.config.clock_step
        most = (length - 1) // (count - 1) if count > 1 else 1
        stride = (
            int(torch.randint(1, most + 1, (), generator=random)) if critic.kind == "time-difference" else 1
        )
        slack = length - (count - 1) * stride
        offsets = torch.randint(slack, (batch, 1), generator=random)
        begin = -1 + float(torch.rand((), generator=random)) * self.config.span
        start = begin + int(torch.randint(slack, (), generator=random)) * step
        frames = torch.arange(count) * stride
        times = (start + frames * step).expand(batch, -1)
        delta = torch.full((batch,), stride * step)
        return Window(offsets + frames, times.to(context.device), delta.to(context.device))

    def _fake(self, times: Tensor, context: Context, *key: int | str) -> Drawn:
        """Draw codes and render times (B, T)."""
        random, g = context.generator("codes", *key), self.generator
        batch = len(times)
        content = g.map_content(torch.randn(batch, g.config.content, generator=random).to(context.device))
        motion = g.map_motion(torch.randn(batch, g.config.motion_latent, generator=random).to(context.device))
        noise = [torch.randn(batch, 1, s, s, generator=random) for s in g.synthesis.noise_sides]
        codes = Codes(content, g.scales(motion), tuple(n.to(context.device) for n in noise))
        styles = g.trajectory(times, codes)
        return Drawn(
            g.render(styles, codes.noise), styles, g.part_motions(times, codes) if self.reader else []
        )

    def _real(self, micro: Batch, frames: Tensor) -> Tensor:
        """Return frames (B, T) of the batch's clips, float (B, T, C, H, W)."""
        rows = torch.arange(len(frames))[:, None]
        return to_network(micro["frames"][rows, frames.to(micro["frames"].device)])

    def _augment(self, clips: Tensor, context: Context, *key: int | str) -> Tensor:
        return diff_augment_clips(clips, context.generator("augment", *key), self.config.augment)

    # -- losses -------------------------------------------------------------------------------------------

    def _critic_loss(self, name: str, micro: Batch, context: Context, number: int) -> Terms:
        window = self._windows(name, micro, context, "critic", number)
        with torch.no_grad():
            fake = self._fake(window.times, context, "critic", name, number).clips.float()
        real = self._real(micro, window.frames)
        clips = self._augment(torch.cat([real, fake]), context, "critic", name, number)
        on_real, on_fake = (self._score(name, part, window) for part in clips.chunk(2))
        loss = logistic_critic(on_real, on_fake)
        return {"loss": loss, "real": on_real.mean(), "fake": on_fake.mean()}

    def _score(self, name: str, clips: Tensor, window: Window) -> Tensor:
        return self.discriminators[name](clips, window.delta, window.times[:, 0]).float()

    def _penalty(self, name: str, micro: Batch, context: Context, number: int) -> Terms:
        window = self._windows(name, micro, context, "penalty", number)
        real = self._real(micro, window.frames).requires_grad_(True)
        clips = self._augment(real, context, "penalty", name, number)
        penalty = r1_penalty(self._score(name, clips, window).mean(dim=1), real)
        return {"loss": 0.5 * self.config.r1 * self.config.r1_every * penalty, "r1": penalty}

    def _generator_loss(self, micro: Batch, context: Context, number: int) -> Terms:
        terms: Terms = {}
        for name in self.discriminators:
            window = self._windows(name, micro, context, "generator", number)
            fake = self._fake(window.times, context, "generator", name, number)
            scored = self._augment(fake.clips.float(), context, "generator", name, number)
            terms[name] = logistic_generator(self._score(name, scored, window))
            if self.reader is not None and name == next(iter(self.discriminators)):
                # the first frames stand at one time; mu_k(t) is what is read, so it gets no gradient from it
                banks = self.reader(fake.clips[:, 0].float(), [m[:, 0].detach() for m in fake.motions])
                terms |= {f"bank{k}": self.config.information * value for k, value in enumerate(banks)}
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}

    def _path_loss(self, micro: Batch, context: Context, number: int) -> Terms:
        """Path-length penalty of Karras et al. 2020, eq. 4, on the styles w(t)."""
        random, batch = context.generator("path-noise", number), len(micro["frames"])
        times = (2 * torch.rand(batch, 1, generator=random) - 1).to(context.device)
        drawn = self._fake(times, context, "path", number)
        noise = torch.randn(drawn.clips.shape, generator=random).to(drawn.clips)
        noise = noise / math.sqrt(noise.shape[-1] * noise.shape[-2])
        (grad,) = torch.autograd.grad((drawn.clips * noise).sum(), drawn.styles, create_graph=True)
        lengths = grad.float().square().sum(dim=-1).mean(dim=1).sqrt()
        mean: Tensor = self.modules["path_mean"].value  # type: ignore[assignment]
        mean.lerp_(lengths.detach().mean(), 0.01)
        penalty = (lengths - mean).square().mean()
        return {"loss": self.config.path_length * self.config.path_every * penalty, "path": penalty}

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write real clips above clips of fixed codes."""
        if self.shown is None:
            return
        generator: FreqMotionGenerator = modules[GENERATOR]  # type: ignore[assignment]
        codes = generator.draw(0, range(_SHOWN))
        times = generator.frame_times(generator.config.frames).to(codes.content).expand(_SHOWN, -1)
        preview_clips(generator(times, codes), self.shown["frames"], folder / f"clips-{step:06d}.png")


class _Mean(nn.Module):
    """A running mean that is saved with the run."""

    value: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(()))
