"""A space of videos: every vector of its latent space is a video, at any size and at any times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from moviola.core.errors import ConfigError, UnknownNameError, is_lack_of_memory
from moviola.core.rates import as_rate
from moviola.core.seeds import torch_generator
from moviola.core.weights import PretrainedMixin
from moviola.models.inrv.condition import FrameCondition
from moviola.models.inrv.config import InrvConfig
from moviola.models.inrv.coordinates import axis, places
from moviola.models.inrv.decoders import make_decoder
from moviola.models.inrv.encoder import Encoder
from moviola.models.inrv.prior import FlowPrior

SAMPLERS = ("prior", "slerp", "gaussian", "mixture")
PIXELS = 1 << 16
"""Pixels that are drawn at once, as far as memory allows."""


class InrvModel(PretrainedMixin, nn.Module):
    """Codebook, decoder, and (ours) encoder and prior.

    Source: Sen et al. 2022, "INR-V: A Continuous Representation Space for Video-based Generative Tasks".

    Args:
        config: sizes.
    """

    config_class = InrvConfig
    config: InrvConfig
    codes: Tensor

    def __init__(self, config: InrvConfig) -> None:
        super().__init__()
        self.config = config
        self.codebook = nn.Parameter(torch.randn(config.videos, config.code) * config.init_std)
        # what the decoder is given for each row: the row itself, but for a model that is also told frame embeddings
        self.register_buffer("codes", torch.zeros(config.videos, config.code))
        self.condition = FrameCondition(config.condition, config.code) if config.condition else None
        self.decoder = make_decoder(config)
        self.encoder = Encoder(config) if config.encoder else None
        self.prior = FlowPrior(config.code, config.prior) if config.prior else None

    # -- what a generator says of itself (`moviola.models.protocols.Generator`) ----------------------------

    is_conditional = False

    @property
    def num_frames(self) -> int:
        """Frames of the clips."""
        return self.config.frames

    @property
    def height(self) -> int:
        """H of the clips, px."""
        return self.config.height

    @property
    def width(self) -> int:
        """W of the clips, px."""
        return self.config.width

    @property
    def fps(self) -> Fraction:
        """Frames a second of the clips."""
        return as_rate(self.config.fps)

    def stream(self, seed: int, index: int, frames: int, prompt: str | None = None) -> Iterator[Tensor]:
        """Draw a novel video; see `moviola.models.protocols.Generator.stream`."""
        if prompt is not None:
            raise ConfigError("this model takes no prompt; edit interpolate takes the captions of its clips")
        if frames < 1:
            raise ConfigError(f"frames is {frames}; it must be at least 1")
        return self.render(self.draw(seed, [index]), torch.arange(frames, dtype=torch.float32))

    # -- codes --------------------------------------------------------------------------------------------

    @torch.no_grad()
    def draw(self, seed: int, indices: Sequence[int], method: str = "") -> Tensor:
        """Draw the codes of novel videos.

        Args:
            seed, indices: which; each depends on (seed, index) alone.
            method: "prior" (flow matching over the codes), "slerp" (between two clips at random, as in the paper),
                "gaussian" or "mixture" (around one clip at random); empty for "prior" where there is one, else "slerp".

        Returns:
            (B, code).

        Raises:
            ConfigError: no such method, or no prior.
        """
        method = method or ("prior" if self.prior is not None else "slerp")
        if method not in SAMPLERS:
            raise ConfigError(f"no way to draw called {method!r}; there are {', '.join(SAMPLERS)}")
        if method == "prior" and self.prior is None:
            raise ConfigError("this model has no prior; draw with slerp, gaussian or mixture")
        rows = [self._draw_one(torch_generator(seed, "code", i), method) for i in indices]
        noise = torch.stack(rows).to(self.codes)
        return self.prior.sample(noise) if method == "prior" and self.prior is not None else noise

    def _draw_one(self, generator: torch.Generator, method: str) -> Tensor:
        codes, size = self.codes.cpu(), self.config.code
        if method == "prior":
            return torch.randn(size, generator=generator)
        if method == "gaussian":
            spread = codes.std(dim=0, unbiased=False)
            return codes.mean(dim=0) + spread * torch.randn(size, generator=generator)
        if method == "mixture":
            nearest = _nearest_distance(codes)
            row = int(torch.randint(len(codes), (), generator=generator))
            step = torch.randn(size, generator=generator) / size**0.5
            return codes[row] + step * nearest[row]
        pair = torch.randperm(len(codes), generator=generator)[:2]
        return slerp(codes[pair[0]], codes[pair[-1]], float(torch.rand((), generator=generator)))

    def code_of(self, name: str) -> Tensor:
        """Return the code (code,) of a clip by its number, its caption, or words of its caption alone.

        Raises:
            ConfigError: a number out of range, or a caption of several clips. UnknownNameError: a caption of no clip.
        """
        return self.codes[self.row_of(name)]

    def row_of(self, name: str) -> int:
        """Return the row of a clip by its number, its caption, or words of its caption alone; errors as `code_of`."""
        name = name.strip()
        count, captions = len(self.config.captions), [c.casefold() for c in self.config.captions]
        rows = [k for k, caption in enumerate(captions) if caption == name.casefold()]
        if name and len(rows) == 1:
            return rows[0]
        if re.fullmatch(r"[+-]?[0-9]+", name):
            if not 0 <= int(name) < count:
                raise ConfigError(f"no clip {name}; the model holds clips 0 to {count - 1}")
            return int(name)
        if name and rows:
            numbers = ", ".join(map(str, rows[:8])) + (" ..." if len(rows) > 8 else "")
            raise ConfigError(f"{name!r} is the caption of {len(rows)} clips; give a number: {numbers}")
        parts = [k for k, caption in enumerate(captions) if name.casefold() in caption]
        if name and len(parts) == 1:
            return parts[0]
        if name and parts:
            numbers = ", ".join(f"{k} ({self.config.captions[k]})" for k in parts[:4])
            more = " ..." if len(parts) > 4 else ""
            raise ConfigError(
                f"{name!r} is in the captions of {len(parts)} clips; give a number: {numbers}{more}"
            )
        raise UnknownNameError.of("clip", name, [c for c in self.config.captions if c])

    # -- frames -------------------------------------------------------------------------------------------

    def times(self, numbers: Tensor) -> Tensor:
        """Return the coordinates of frame numbers (any real numbers), shaped alike."""
        return places(numbers, self.config.frames, self.config.grid)

    def axes(self, height: int | None = None, width: int | None = None) -> tuple[Tensor, Tensor]:
        """Return the coordinates of rows (H,) and columns (W,), the clips' own sizes by default."""
        c, at = self.config, self.codes.device
        return (
            axis(height or c.height, c.height, c.grid).to(at),
            axis(width or c.width, c.width, c.grid).to(at),
        )

    def decode(
        self,
        codes: Tensor,
        numbers: Tensor,
        height: int | None = None,
        width: int | None = None,
    ) -> Tensor:
        """Draw whole frames, with gradients.

        Args:
            codes: (B, code).
            numbers: (T,) or (B, T), frame numbers, any real ones.
            height, width: px; the clips' own by default.

        Returns:
            (B, T, C, H, W), about [-1, 1].
        """
        y, x = self.axes(height, width)
        times = self.times(numbers.to(codes.device, torch.float32))
        return self.decoder.grid(self.decoder.prepare(codes), times, y, x).movedim(-1, 2)

    def render(
        self,
        codes: Tensor,
        numbers: Tensor,
        height: int | None = None,
        width: int | None = None,
        pixels: int = PIXELS,
    ) -> Iterator[Tensor]:
        """Draw one video, piece by piece; memory does not grow with its frames, nor with a frame beyond itself.

        Args:
            codes: (1, code) for all frames, or (T, code), one a frame.
            numbers: (T,), frame numbers, any real ones.
            height, width: px; the clips' own by default.
            pixels: at most so many are drawn at once; halved whenever memory does not suffice.

        Yields:
            float32 (t, C, H, W) in [-1, 1], on the CPU; rows are drawn in pieces where a frame is large.

        Raises:
            ConfigError: a size below 1, no frames, or a number that is not finite.
        """
        height = self.config.height if height is None else height
        width = self.config.width if width is None else width
        if height < 1 or width < 1:
            raise ConfigError(f"a frame has at least 1x1 px, not {width}x{height}")
        if not len(numbers) or not bool(torch.isfinite(numbers).all()):
            raise ConfigError("frame numbers are finite, and there is at least one")
        return self._pieces(codes, numbers.to(self.codes.device, torch.float32), height, width, pixels)

    @torch.no_grad()
    def _pieces(
        self, codes: Tensor, numbers: Tensor, height: int, width: int, pixels: int
    ) -> Iterator[Tensor]:
        first = 0
        while first < len(numbers):
            count = max(1, pixels // (height * width))
            part = numbers[first : first + count]
            part_codes = codes if len(codes) == 1 else codes[first : first + count]
            try:
                piece = self._piece(part_codes.to(self.codes), part, height, width, pixels)
            except (RuntimeError, MemoryError) as error:
                if not is_lack_of_memory(error) or pixels <= width:
                    raise
                pixels = max(width, min(pixels, height * width * count) // 2)
                continue
            first += len(part)
            yield piece

    def _piece(self, codes: Tensor, numbers: Tensor, height: int, width: int, pixels: int) -> Tensor:
        """Draw (t, C, H, W), as many rows at a time as `pixels` allows."""
        y, x = self.axes(height, width)
        times = self.times(numbers)
        times = times if len(codes) == 1 else times[:, None]
        state = self.decoder.prepare(codes)
        rows = max(1, pixels // (width * len(numbers)))
        parts = [self.decoder.grid(state, times, part, x).float().cpu() for part in y.split(rows)]
        return torch.cat(parts, dim=2).flatten(0, 1).movedim(-1, 1).clamp(-1, 1)


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Return the point at `share` of the arc from a to b, (D,): directions by angle, lengths linearly.

    Source: Shoemake 1985, "Animating Rotation with Quaternion Curves".
    """
    lengths = a.norm(), b.norm()
    if not float(lengths[0]) or not float(lengths[1]):
        return torch.lerp(a, b, share)
    cosine = ((a / lengths[0]) @ (b / lengths[1])).clamp(-1, 1)
    angle = cosine.arccos()
    if float(angle.sin()) < 1e-3:  # what arccos leaves of single precision
        return torch.lerp(a, b, share)
    direction = (
        ((1 - share) * angle).sin() * a / lengths[0] + (share * angle).sin() * b / lengths[1]
    ) / angle.sin()
    return direction * torch.lerp(lengths[0], lengths[1], share)


def _nearest_distance(codes: Tensor) -> Tensor:
    """Return each code's distance to the nearest other one, (N,)."""
    if len(codes) < 2:
        return codes.norm(dim=1)
    distance = torch.cdist(codes, codes)
    return distance.fill_diagonal_(float("inf")).amin(dim=1)
