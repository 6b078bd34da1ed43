"""The generator: content and motion codes, and any times, to frames."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.core.errors import ConfigError
from moviola.core.rates import as_rate
from moviola.core.seeds import torch_generator
from moviola.core.weights import PretrainedMixin
from moviola.models.freqmotion.config import FreqMotionConfig
from moviola.models.freqmotion.motion import MotionBank
from moviola.models.freqmotion.synthesis import SynthesisNetwork
from moviola.nn.equalized import EqualizedLinear, PixelNorm

_CENTER_DRAWS = 4096
_CHUNK = 8  # frames that are rendered at once


@dataclass(frozen=True, eq=False)
class Codes:
    """What a video is made from, but for its times.

    Attributes:
        content: w_c, (B, D).
        scales: for each bank of sinusoids the scale of each feature, (B, F).
        noise: for each layer of the synthesis network a map a video, (B, 1, side, side).
    """

    content: Tensor
    scales: tuple[Tensor, ...]
    noise: tuple[Tensor, ...]


class FreqMotionGenerator(PretrainedMixin, nn.Module):
    """Generator of videos whose motion is a sum of sinusoids.

    Source: Hyun et al. 2023, "Frequency-based Motion Representation for Video Generative Adversarial Networks":
    w(t) = w_c + sum over banks of mu(t), given to every layer of a StyleGAN2 synthesis network.

    Args:
        config: sizes.
    """

    config_class = FreqMotionConfig
    config: FreqMotionConfig
    motion_center: Tensor

    def __init__(self, config: FreqMotionConfig) -> None:
        super().__init__()
        self.config = config
        self.content_mapping = _mapping(config.content, config.style, config.content_layers, config.rate)
        self.motion_mapping: nn.Module = (
            GatedMapping(config.motion, config.motion_layers)
            if config.gated
            else _mapping(config.motion, config.motion, config.motion_layers, config.rate)
        )
        center = torch.zeros(config.motion)
        if config.center and center.device.type != "meta":
            with torch.no_grad():
                center = self.motion_mapping(torch.randn(_CENTER_DRAWS, config.motion)).mean(dim=0)
        self.register_buffer("motion_center", center)
        self.banks = nn.ModuleList(
            MotionBank(config, low, high, k) for k, (low, high) in enumerate(config.ranges)
        )
        self.synthesis = SynthesisNetwork(config)

    # -- what a generator says of itself (`moviola.models.protocols.Generator`) ----------------------------

    is_conditional = False

    @property
    def num_frames(self) -> int:
        """Frames of the window it was trained at."""
        return self.config.frames

    @property
    def height(self) -> int:
        """H of a frame, px."""
        return self.config.size

    @property
    def width(self) -> int:
        """W of a frame, px."""
        return self.config.size

    @property
    def fps(self) -> Fraction:
        """Frames a second of what it was trained on."""
        return as_rate(self.config.fps)

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw one video at the data's rate; see `moviola.models.protocols.Generator.stream`."""
        if prompt is not None:
            raise ConfigError("this model takes no prompt; it draws what the seed says")
        if frames < 1:
            raise ConfigError(f"frames is {frames}; it must be at least 1")
        return self.stream_at(self.frame_times(frames), self.draw(seed, [index]))

    # -- codes --------------------------------------------------------------------------------------------

    def map_content(self, z: Tensor) -> Tensor:
        """Map z_c (B, content) to w_c (B, style)."""
        return self.content_mapping(z)

    def map_motion(self, z: Tensor) -> Tensor:
        """Map z_m to motion codes m, (B, config.motion_latent) both; what holds the shifts stays as it is."""
        latent, shifts = z.split([self.config.motion, z.shape[1] - self.config.motion], dim=1)
        return torch.cat([self.motion_mapping(latent) - self.motion_center, shifts], dim=1)

    def scales(self, motion: Tensor, like: Sequence[Tensor] | None = None) -> tuple[Tensor, ...]:
        """Return, for each bank, the scale of each feature (B, F) that motion codes m (B, D) ask for.

        With `like`, the scales of other codes, each part is moved by the bank that moves it there.
        """
        others = like or [None] * len(self.banks)
        return tuple(bank.scales(motion, other) for bank, other in zip(self.banks, others, strict=True))  # type: ignore[operator]

    def draw_latent(self, which: str, seed: int, indices: Sequence[int]) -> Tensor:
        """Return z of `which` ("content" or "motion"): (B, size), row k drawn from (seed, indices[k]) alone."""
        size = self.config.content if which == "content" else self.config.motion_latent
        rows = [torch.randn(size, generator=torch_generator(seed, which, i)) for i in indices]
        return torch.stack(rows).to(self.synthesis.constant)

    def draw_noise(self, seed: int, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """Return the noise maps of videos, each drawn from (seed, index) alone."""
        generators = [torch_generator(seed, "noise", i) for i in indices]
        sides = self.synthesis.noise_sides
        maps = [[torch.randn(1, side, side, generator=g) for side in sides] for g in generators]
        return tuple(torch.stack(layer).to(self.synthesis.constant) for layer in zip(*maps, strict=True))

    @torch.no_grad()
    def draw(self, seed: int, indices: Sequence[int]) -> Codes:
        """Return the codes of videos `indices` of `seed`; each depends on (seed, index) alone."""
        content = self.map_content(self.draw_latent("content", seed, indices))
        motion = self.map_motion(self.draw_latent("motion", seed, indices))
        return Codes(content, self.scales(motion), self.draw_noise(seed, indices))

    def omega(self) -> Tensor:
        """Return the frequencies of all banks, radians a time unit, signed, (F,)."""
        return torch.cat([bank.sinusoids.omega.detach() for bank in self.banks])  # type: ignore[union-attr,misc]

    # -- frames -------------------------------------------------------------------------------------------

    def frame_times(self, frames: int, start: float = -1.0) -> Tensor:
        """Return the times of `frames` frames at the data's rate, (frames,), float64, from `start` on."""
        return start + torch.arange(frames, dtype=torch.float64) * self.config.clock_step

    def trajectory(self, times: Tensor, codes: Codes, omega: Sequence[Tensor] | None = None) -> Tensor:
        """Return w(t) (B, T, style) at times (B, T); `omega` replaces the frequencies of each bank."""
        style = codes.content[:, None, :]
        for motion in self.motions(times, codes, omega):
            style = style + motion
        return style

    def motions(self, times: Tensor, codes: Codes, omega: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Return mu_k(t) (B, T, style) of each bank; arguments as `trajectory`."""
        return [
            self._through(k).project(features)
            for k, features in enumerate(self._weighted(times, codes, omega))
        ]

    def part_motions(self, times: Tensor, codes: Codes) -> list[Tensor]:
        """Return the motion (B, T, style) of each part, whichever banks move it; that of each bank without parts."""
        if not self.config.parts:
            return self.motions(times, codes)
        features = torch.stack(self._weighted(times, codes)).sum(dim=0)
        bank = self._through(0)
        part = bank.part_of(features.shape[-1])
        return [bank.project(features * (part == k)) for k in range(self.config.parts)]

    def _weighted(self, times: Tensor, codes: Codes, omega: Sequence[Tensor] | None = None) -> list[Tensor]:
        return [
            bank.weighted(times, codes.scales[k], None if omega is None else omega[k])  # type: ignore[operator]
            for k, bank in enumerate(self.banks)
        ]

    def _through(self, number: int) -> MotionBank:
        """Return the bank whose layers map the features of bank `number` into style space."""
        return self.banks[0 if self.config.parts else number]  # type: ignore[return-value]

    def render(self, styles: Tensor, noise: Sequence[Tensor]) -> Tensor:
        """Draw frames of styles w(t) (B, T, style): (B, T, C, H, W), about [-1, 1]."""
        batch, frames = styles.shape[:2]
        maps = [m.repeat_interleave(frames, dim=0) for m in noise]
        return self.synthesis(styles.flatten(0, 1), maps).unflatten(0, (batch, frames))

    @torch.no_grad()
    def stream_at(
        self, times: Tensor, codes: Codes, omega: Sequence[Tensor] | None = None
    ) -> Iterator[Tensor]:
        """Draw one video at any real times, piece by piece.

        Every piece is rendered at one size, filled up with its last time, so that a frame does not depend on how many
        others there are.

        Args:
            times: (T,), time units, in any order.
            codes: of one video.
            omega: frequencies in place of the learned ones, for each bank (F,).

        Yields:
            float32 (t, C, H, W) in [-1, 1], on the CPU or wherever the network is.

        Raises:
            ConfigError: no times, or some that are not finite.
        """
        if times.ndim != 1 or not len(times) or not bool(times.isfinite().all()):
            raise ConfigError("times are one or more finite numbers in one row")
        return self._pieces(times.to(codes.content), codes, omega)

    @torch.no_grad()
    def _pieces(self, times: Tensor, codes: Codes, omega: Sequence[Tensor] | None) -> Iterator[Tensor]:
        for piece in times.split(_CHUNK):
            filled = F.pad(piece[None], (0, _CHUNK - len(piece)), mode="replicate")
            frames = self.render(self.trajectory(filled, codes, omega), codes.noise)
            yield frames[0, : len(piece)].clamp(-1, 1)

    def forward(self, times: Tensor, codes: Codes) -> Tensor:
        """Draw videos at any real times.

        Args:
            times: (B, T), time units; frame k of a video of the data's rate stands at -1 + k clock_step.
            codes: of B videos.

        Returns:
            (B, T, C, H, W), about [-1, 1].
        """
        return self.render(self.trajectory(times, codes), codes.noise)


class GatedMapping(nn.Module):
    """z times gates that its squares decide: an odd map, whose mean over z is zero whatever is learned.

    Which of many motions a video has is a choice; a gate makes it, by the energy of the parts of z, where a linear map
    could only mix.

    Args:
        size: D of z and of the code.
        layers: of the network of the gates, 1 or more.
    """

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.norm = PixelNorm()
        self.basis = EqualizedLinear(size, size, bias=None)
        sizes = [size] * max(layers, 1)
        self.hidden = nn.Sequential(
            *(EqualizedLinear(a, b, activate=True) for a, b in itertools.pairwise(sizes))
        )
        self.gate = EqualizedLinear(size, size)

    def forward(self, z: Tensor) -> Tensor:
        """Map (B, D) to (B, D)."""
        z = self.basis(self.norm(z))
        return z * 2 * torch.sigmoid(2 * self.gate(self.hidden(z.square() - 1)))


def _mapping(features_in: int, features_out: int, layers: int, rate: float) -> nn.Sequential:
    """Return pixel norm and `layers` equalised linear layers with leaky ReLU."""
    sizes = [features_in] + [features_out] * layers
    linear = (EqualizedLinear(a, b, rate=rate, activate=True) for a, b in itertools.pairwise(sizes))
    return nn.Sequential(PixelNorm(), *linear)
