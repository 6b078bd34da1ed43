"""The decoders: from the code of a video and coordinates to colour. All share one interface, so that they compare."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.models.inrv import mlp
from moviola.models.inrv.config import InrvConfig
from moviola.models.inrv.coordinates import PositionalEncoding, axis, mesh, octaves_of
from moviola.models.inrv.local import LocalLatents
from moviola.nn.modulated import ModulatedConv2d

_WEIGHTS = {"hyper": mlp.HyperWeights, "low-rank": mlp.LowRankWeights, "mixture": mlp.MixtureWeights}


class Decoder(nn.Module):
    """What all of them share: `prepare` once a video, then `grid` (or `points`) as often as there are pieces.

    Args:
        config: sizes.
    """

    pointwise = True
    """Whether `points` is available; a decoder of whole frames has `grid` alone."""

    def __init__(self, config: InrvConfig) -> None:
        super().__init__()
        self.config = config
        sizes = (config.frames, config.height, config.width)
        self.encoding = PositionalEncoding([octaves_of(n, config.octaves, config.nyquist) for n in sizes])
        cells = config.local_cells
        self.local = LocalLatents(config.local, cells) if cells else None

    def split(self, code: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the global latent (B, D) and the local ones (B, C, g, g) of codes (B, code)."""
        c = self.config
        if not c.local_cells:
            return code, None
        global_code, local_code = code.split([c.latent, c.code - c.latent], dim=1)
        return global_code, local_code.unflatten(1, (c.local, c.local_cells, c.local_cells))

    def prepare(self, code: Tensor) -> Any:
        """Return what depends on the video alone, from codes (B, code): the hypernetwork's part."""
        raise NotImplementedError

    def points(self, state: Any, coordinates: Tensor) -> Tensor:
        """Return colours at coordinates (B, N, 3) or (N, 3), in the order (t, y, x): (B, N, C)."""
        raise NotImplementedError

    def grid(self, state: Any, t: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Return the video on a grid, (B, T, H, W, C), from coordinates t (T,) or (B, T), y (H,), x (W,)."""
        if t.dim() == 1:
            out = self.points(state, mesh(t, y, x))
        else:
            out = self.points(state, torch.stack([mesh(row, y, x) for row in t]))
        return out.unflatten(1, (t.shape[-1], len(y), len(x)))


class WeightsDecoder(Decoder):
    """A ReLU network of the encoded coordinates whose weights are the video's: "hyper", "low-rank", "mixture"."""

    def __init__(self, config: InrvConfig) -> None:
        super().__init__(config)
        features = sum(self.encoding.sizes) + (config.local if self.local else 0)
        self.hyper = _WEIGHTS[config.decoder](config, features)

    def prepare(self, code: Tensor) -> Any:
        """See `Decoder.prepare`."""
        global_code, local = self.split(code)
        return self.hyper(global_code), local

    def points(self, state: Any, coordinates: Tensor) -> Tensor:
        """See `Decoder.points`."""
        weights, local = state
        batch = len(weights[0][1])
        features = self.encoding(coordinates).expand(batch, -1, -1)
        if local is not None and self.local is not None:
            read = self.local(local, coordinates[..., 1], coordinates[..., 2])
            features = torch.cat([features, read.to(features.dtype)], dim=-1)
        return mlp.run(weights, features)


class FilmSirenDecoder(Decoder):
    """A shared sinusoidal network whose units each video scales and shifts.

    sin(scale (W x + b) + shift): Chan et al. 2021, "pi-GAN", eq. 6; the start of the weights: Sitzmann et al. 2020,
    "Implicit Neural Representations with Periodic Activation Functions" (SIREN), section 3.2. With `nyquist` the first
    layer's frequencies start below those that an axis' samples determine.
    """

    def __init__(self, config: InrvConfig) -> None:
        super().__init__(config)
        local = config.local if self.local else 0
        self.first = nn.Linear(3 + local, config.hidden)
        self.hidden = nn.ModuleList(nn.Linear(config.hidden, config.hidden) for _ in range(config.layers - 1))
        self.last = nn.Linear(config.hidden, config.channels)
        self.trunk = mlp.make_trunk(config)
        self.film = nn.Linear(config.head_hidden, 2 * config.hidden * config.layers)
        nn.init.normal_(self.film.weight, std=0.1 / math.sqrt(config.head_hidden))
        nn.init.zeros_(self.film.bias)
        sizes = (config.frames, config.height, config.width)
        with torch.no_grad():
            highest = [math.pi * n / 8 if config.nyquist else 30.0 for n in sizes] + [1.0] * local
            self.first.weight.copy_((2 * torch.rand_like(self.first.weight) - 1) * torch.tensor(highest))
            bound = math.sqrt(6 / config.hidden)
            for layer in [*self.hidden, self.last]:
                layer.weight.uniform_(-bound, bound)  # type: ignore[operator,union-attr]

    def prepare(self, code: Tensor) -> Any:
        """See `Decoder.prepare`."""
        global_code, local = self.split(code)
        film = self.film(self.trunk(global_code)).unflatten(1, (self.config.layers, 2, 1, self.config.hidden))
        return film, local

    def points(self, state: Any, coordinates: Tensor) -> Tensor:
        """See `Decoder.points`."""
        film, local = state
        x = coordinates.expand(len(film), -1, -1)
        if local is not None and self.local is not None:
            x = torch.cat([x, self.local(local, coordinates[..., 1], coordinates[..., 2])], dim=-1)
        for number, layer in enumerate([self.first, *self.hidden]):
            scale, shift = film[:, number, 0], film[:, number, 1]
            if number == 0:
                # many radians, of which half precision would keep two digits
                with torch.autocast(x.device.type, enabled=False):
                    x = torch.sin((1 + scale.float()) * layer(x.float()) + shift.float())
            else:
                x = torch.sin((1 + scale) * layer(x) + shift)
        return self.last(x)


class FactorisedDecoder(Decoder):
    """Features of a row, of a column and of a time, each from a network of its own, multiplied; then one small network.

    h = f_t(t) f_y(y) f_x(x), unit by unit (a canonical polyadic decomposition), rgb = W2 relu(W1 h). What costs is paid
    for each row, column and time, not for each pixel.
    """

    def __init__(self, config: InrvConfig) -> None:
        super().__init__(config)
        width, self.mixed = config.hidden, max(config.hidden // 4, 8)
        self.trunk = mlp.make_trunk(config)
        self.film = nn.Linear(config.head_hidden, 3 * 2 * 2 * width)
        nn.init.normal_(self.film.weight, std=0.5 / math.sqrt(config.head_hidden))
        nn.init.zeros_(self.film.bias)
        self.first = nn.ModuleList(nn.Linear(size, width) for size in self.encoding.sizes)
        self.second = nn.ModuleList(nn.Linear(width, width) for _ in range(3))
        self.mix = nn.Linear(width + (config.local if self.local else 0), self.mixed)
        self.last = nn.Linear(self.mixed, config.channels)
        for layer in [*self.first, *self.second, self.mix]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # type: ignore[arg-type]

    def prepare(self, code: Tensor) -> Any:
        """See `Decoder.prepare`."""
        global_code, local = self.split(code)
        return self.film(self.trunk(global_code)).unflatten(1, (3, 2, 2, 1, self.config.hidden)), local

    def _factor(self, film: Tensor, number: int, values: Tensor) -> Tensor:
        """Return the features of one axis at `values` (N,) or (B, N): (B, N, hidden)."""
        x = self.encoding.one(number, values).expand(len(film), -1, -1)
        for k, layer in enumerate((self.first[number], self.second[number])):
            x = (1 + film[:, number, k, 0]) * layer(x) + film[:, number, k, 1]
            x = F.relu(x) if k == 0 else 1 + x
        return x

    def _colour(self, h: Tensor, local: Tensor | None) -> Tensor:
        if local is not None:
            h = torch.cat([h, local.to(h.dtype)], dim=-1)
        return self.last(F.relu(self.mix(h)))

    def points(self, state: Any, coordinates: Tensor) -> Tensor:
        """See `Decoder.points`."""
        film, local = state
        t, y, x = (self._factor(film, k, coordinates[..., k]) for k in range(3))
        read = None
        if local is not None and self.local is not None:
            read = self.local(local, coordinates[..., 1], coordinates[..., 2])
        return self._colour(t * y * x, read)

    def grid(self, state: Any, t: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """See `Decoder.grid`; here each axis is computed once."""
        film, local = state
        plane = self._factor(film, 1, y)[:, :, None] * self._factor(film, 2, x)[:, None]
        h = self._factor(film, 0, t)[:, :, None, None] * plane[:, None]
        read = None
        if local is not None and self.local is not None:
            points = mesh(torch.zeros(1, device=y.device), y, x)
            read = self.local(local, points[:, 1], points[:, 2]).unflatten(1, (1, len(y), len(x)))
            read = read.expand(-1, t.shape[-1], -1, -1, -1)
        return self._colour(h, read)


class ConvDecoder(Decoder):
    """A convolutional decoder a frame, the video's latent and the time given to every layer, then a coordinate head.

    A frame's style w(t) = A z + M(z, encoded t) scales each layer's input channels (with demodulation); the feature map
    is read at any (y, x) by bilinear interpolation, and a small network of the features and the encoded place gives the
    colour, so that any resolution works. After Chen et al. 2021, "NeRV", for frames from convolutions.
    """

    pointwise = False

    def __init__(self, config: InrvConfig) -> None:
        super().__init__(config)
        widths, style = list(config.widths), config.head_hidden
        self.whole = nn.Linear(config.latent, style)
        self.moving = nn.Sequential(
            nn.Linear(config.latent + self.encoding.sizes[0], style), nn.LeakyReLU(0.2),
            nn.Linear(style, style), nn.LeakyReLU(0.2), nn.Linear(style, style),
        )  # fmt: skip
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        pairs = [(widths[0], widths[0], False)]
        for a, b in itertools.pairwise(widths):
            pairs += [(a, b, True), (b, b, False)]
        if len(widths) > 2:
            pairs.pop()  # the finest features are not mixed twice
        self.convs = nn.ModuleList(ModulatedConv2d(a, b, 3, style, upsample=up) for a, b, up in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(b)) for _, b, _ in pairs)
        self.reads = nn.ModuleList(nn.Conv2d(config.local, b, 1) for _, b, _ in pairs) if self.local else None
        features = widths[-1] + sum(self.encoding.sizes[1:])
        self.head = nn.Sequential(
            nn.Linear(features, 2 * widths[-1]), nn.ReLU(), nn.Linear(2 * widths[-1], config.channels)
        )

    def prepare(self, code: Tensor) -> Any:
        """See `Decoder.prepare`."""
        return self.split(code)

    def styles(self, global_code: Tensor, t: Tensor) -> Tensor:
        """Return w(t) of latents (B, D) at t (T,) or (B, T): (B, T, style)."""
        times = self.encoding.one(0, t.expand(len(global_code), -1))
        latents = global_code[:, None].expand(-1, times.shape[1], -1)
        # w(t) = A z + M(z, encoded t): (B, T, latent) and (B, T, latent + encoding) -> (B, T, style)
        return self.whole(latents) + self.moving(torch.cat([latents, times], dim=-1))

    def features(self, styles: Tensor, local: Tensor | None) -> Tensor:
        """Return feature maps (N, C, side, side) of styles (N, style); `local` is (N, C, g, g)."""
        x = self.constant.expand(len(styles), -1, -1, -1)
        for number, conv in enumerate(self.convs):
            x = conv(x, styles) + self.biases[number][:, None, None]
            if local is not None and self.reads is not None:
                smooth = F.interpolate(local, x.shape[-2:], mode="bilinear", align_corners=False)
                x = x + self.reads[number](smooth)
            x = F.leaky_relu(x, 0.2) * math.sqrt(2)
        return x

    def grid(self, state: Any, t: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """See `Decoder.grid`."""
        global_code, local = state
        styles = self.styles(global_code, t)
        batch, frames = styles.shape[:2]
        if local is not None:
            local = local.repeat_interleave(frames, dim=0)
        maps = self.features(styles.flatten(0, 1), local)
        read = self._read(maps, y, x).movedim(1, -1)
        place = torch.cat(
            [
                self.encoding.one(1, y)[:, None].expand(-1, len(x), -1),
                self.encoding.one(2, x)[None].expand(len(y), -1, -1),
            ],
            dim=-1,
        )
        # W [features, place] = W_f features + W_p place: the part of the place is the same for all frames
        first: nn.Linear = self.head[0]  # type: ignore[assignment]
        split = self.config.widths[-1]
        shift = F.linear(place, first.weight[:, split:], first.bias)
        h = F.linear(read, first.weight[:, :split]) + shift
        return self.head[2](F.relu(h)).unflatten(0, (batch, frames))

    def _read(self, maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
        """Read maps (N, C, h, w) at the grid of y (H,) and x (W,): (N, C, H, W)."""
        side = maps.shape[-1]
        own = axis(side, side, "centres").to(y)
        if len(y) == len(x) == side and torch.allclose(y, own) and torch.allclose(x, own):
            return maps
        return interpolate_axis(interpolate_axis(maps, y, -2), x, -1)


def interpolate_axis(maps: Tensor, values: Tensor, dim: int) -> Tensor:
    """Read maps along one axis at coordinates `values` in [-1, 1], linearly, held at the borders."""
    count = maps.shape[dim]
    place = ((values + 1) / 2 * count - 0.5).clamp(0, count - 1)
    low = place.floor().long().clamp(max=max(count - 2, 0))
    share = (place - low).to(maps.dtype)
    share = share[:, None] if dim == -2 else share
    a, b = maps.index_select(dim, low), maps.index_select(dim, (low + 1).clamp(max=count - 1))
    return a + (b - a) * share


def make_decoder(config: InrvConfig) -> Decoder:
    """Return the decoder of `config.decoder`."""
    if config.decoder in _WEIGHTS:
        return WeightsDecoder(config)
    kinds = {"film-siren": FilmSirenDecoder, "factorised": FactorisedDecoder, "conv": ConvDecoder}
    return kinds[config.decoder](config)
