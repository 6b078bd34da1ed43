"""Fitting a code to an observation.

Source: INR-V, section 5.3: a latent is optimised, the networks held, until what it decodes to agrees with what is
observed. Ours: several starts at once, an encoder's code among them; results that differ, each pulled towards another
clip (after Oliver et al. 1996, "Conditioning permeability fields to pressure data": randomised maximum likelihood, with
the nearest clips for draws from the prior); and a last stage that frees a few weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from moviola.core.errors import ConfigError
from moviola.core.seeds import derive, torch_generator
from moviola.models.inrv import InrvModel
from moviola.pipelines.edit.latent.observe import Observation
from moviola.pipelines.edit.latent.starts import choose_starts, encode, nearest_clips, observed_errors


@dataclass(frozen=True)
class FitConfig:
    """Settings of `fit`.

    Attributes:
        steps: of Adam on the codes; 0 for the best start as it is.
        starts: codes that are fitted at once, of which the best is kept.
        samples: results; each after the first begins at another clip and is pulled towards it, not towards the mean.
        rate: learning rate, in standard deviations of the model's codes; it falls to 0 as a half cosine.
        prior: weight of the mean square of the standardised code, or of its difference from the clip of a sample.
        points: observed pixels that a step sees, of decoders that draw single points.
        frames: observed frames that a step sees, of decoders that draw whole frames.
        free_steps: of the last stage, which also frees the first layers behind the code, in a copy; 0 for none.
        free_rate: learning rate of those weights.
        seed: of the starts, points and frames.
    """

    steps: int = 200
    starts: int = 4
    samples: int = 1
    rate: float = 0.1
    prior: float = 1e-2
    points: int = 2048
    frames: int = 4
    free_steps: int = 0
    free_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        least = {"steps": 0, "starts": 1, "samples": 1, "points": 1, "frames": 1, "free_steps": 0}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {value}")
        if self.samples > 1 and self.free_steps:
            raise ConfigError(
                "the last stage frees the weights for one result; set samples to 1, or free_steps to 0"
            )


@dataclass(frozen=True, eq=False)
class Fit:
    """Codes that agree with an observation.

    Attributes:
        model: that they belong to; a copy with other weights after the last stage.
        codes: (S, code), the one with the smallest error first; of several samples that one, then the others, the one
            whose clip is nearest to the observation first.
        errors: (S,), mean absolute error at observed pixels, values in [-1, 1].
        starts: what each began at, such as "encoder" or "clip 12".
        encoded: the encoder's code without any steps, (1, code); None without an encoder.
    """

    model: InrvModel
    codes: Tensor
    errors: Tensor
    starts: list[str]
    encoded: Tensor | None = None

    @property
    def code(self) -> Tensor:
        """The best code, (1, code)."""
        return self.codes[:1]


def fit(
    model: InrvModel,
    observation: Observation,
    config: FitConfig | None = None,
    tick: Callable[[int], object] = lambda n: None,
) -> Fit:
    """Fit codes to an observation: L1 at observed pixels and a small L2 on the standardised code, by Adam.

    Where little is observed, that L2 alone decides about the rest, and all starts end alike. So samples have their own:
    what their clip shows, as far as the observation allows.

    Args:
        model: the space; it is not changed.
        observation: at the model's frames and size.
        config: settings.
        tick: called with 1 after each step.

    Raises:
        ConfigError: an observation of other frames or of another size than the model's.
    """
    config = config or FitConfig()
    if (len(observation.frames), *observation.size) != (model.num_frames, model.height, model.width):
        raise ConfigError(
            f"the observation is {len(observation.frames)} frames of {observation.size[1]}x{observation.size[0]}; "
            f"the model's are {model.num_frames} of {model.width}x{model.height}"
        )
    starts, names = choose_starts(model, observation, config.starts, torch_generator(config.seed, "starts"))
    own = config.samples if config.samples > 1 else 0  # one to spare: the best code may begin at one of them
    clips, clip_names = nearest_clips(model, observation, own, torch_generator(config.seed, "samples"))
    fitted = torch.cat([starts, clips])
    if config.steps:
        centres = torch.cat([_range(model)[0].expand_as(starts), clips])
        fitted = _descend(model, fitted, observation, config, [], tick, centres)
    count = len(starts)
    codes, errors, names = _best(model, observation, starts, fitted[:count], names)
    if config.samples > 1:
        same = clip_names.index(names[0]) if names[0] in clip_names else len(clip_names) - 1
        others = [k for k in range(len(clip_names)) if k != same]
        samples = fitted[count:][others]
        codes, names = torch.cat([codes[:1], samples]), [names[0], *(clip_names[k] for k in others)]
        errors = torch.cat([errors[:1], observed_errors(model, samples, observation)])
    result = Fit(model, codes, errors, names, encode(model, observation))
    return _free(result, observation, config, tick) if config.free_steps else result


def _best(
    model: InrvModel, observation: Observation, starts: Tensor, fitted: Tensor, names: list[str]
) -> tuple[Tensor, Tensor, list[str]]:
    """Return each start's fitted code, or the start itself where that is better, the best first."""
    before, after = (observed_errors(model, codes, observation) for codes in (starts, fitted))
    codes = torch.where((after <= before)[:, None], fitted, starts)
    errors = torch.minimum(after, before)
    order = errors.argsort(stable=True)
    return codes[order], errors[order], [names[i] for i in order.tolist()]


def _descend(
    model: InrvModel,
    codes: Tensor,
    observation: Observation,
    config: FitConfig,
    weights: list[nn.Parameter],
    tick: Callable[[int], object],
    centres: Tensor | None = None,
) -> Tensor:
    """Return codes (S, code) after Adam, all at once; `weights` of the decoder are changed, too.

    `centres` (S, code) are what the L2 pulls each to; None for the mean code.
    """
    mean, spread = _range(model)
    centre = 0.0 if centres is None else (centres - mean) / spread
    place = ((codes - mean) / spread).detach().requires_grad_(True)
    groups = [{"params": [place], "lr": config.rate, "most": config.rate}]
    if weights:
        groups.append({"params": weights, "lr": config.free_rate, "most": config.free_rate})
    optimizer = torch.optim.Adam(groups)
    batches = _batches(model, observation, config)
    with torch.enable_grad():
        for step in range(config.steps):
            for group in optimizer.param_groups:
                group["lr"] = group["most"] * (1 + math.cos(math.pi * step / config.steps)) / 2
            loss = _loss(model, mean + spread * place, observation, next(batches))
            loss = loss + config.prior * (place - centre).square().mean(dim=1).sum()
            parameters = [place, *weights]
            gradients = torch.autograd.grad(loss, parameters)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
            tick(1)
    return (mean + spread * place).detach()


def _range(model: InrvModel) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the model's codes, (code,) each."""
    codes = model.codes
    if len(codes) < 2:
        return codes[0], torch.full_like(codes[0], model.config.init_std)
    spread = codes.std(dim=0, unbiased=False)
    return codes.mean(dim=0), spread.clamp(min=max(1e-2 * float(spread.mean()), 1e-6))


@dataclass(frozen=True, eq=False)
class _Batch:
    """What a step compares: frames by number, or points by their index in the mask (T h w)."""

    numbers: np.ndarray | None = None
    index: Tensor | None = None


def _batches(model: InrvModel, observation: Observation, config: FitConfig) -> Iterator[_Batch]:
    """Yield what each step compares, for ever; it follows from the seed alone."""
    random = torch.Generator().manual_seed(derive(config.seed, "fit"))
    if model.decoder.pointwise and not observation.is_low:
        places = torch.from_numpy(np.flatnonzero(observation.mask))
        while True:
            yield _Batch(index=places[torch.randint(len(places), (config.points,), generator=random)])
    numbers = observation.observed_frames
    while True:
        chosen = torch.randperm(len(numbers), generator=random)[: config.frames]
        yield _Batch(numbers=numbers[np.sort(chosen.numpy())])


def _loss(model: InrvModel, codes: Tensor, observation: Observation, batch: _Batch) -> Tensor:
    """Return the sum over codes (S, code) of the mean absolute error of a batch."""
    if batch.index is not None:
        height, width = observation.size
        y, x = model.axes()
        index = batch.index.to(codes.device)
        times = model.times((index // (height * width)).to(codes))
        coordinates = torch.stack([times, y[index // width % height], x[index % width]], dim=-1)
        colours = torch.from_numpy(observation.frames.reshape(-1, 3)[batch.index.numpy()])
        drawn = model.decoder.points(model.decoder.prepare(codes), coordinates)
        return (drawn - (colours.to(codes) / 127.5 - 1)).abs().mean(dim=(1, 2)).sum()
    assert batch.numbers is not None
    frames, mask = (v.to(codes) for v in observation.values(batch.numbers))
    drawn = observation.observe(model.decode(codes, torch.from_numpy(batch.numbers)))
    return ((drawn - frames).abs() * mask).sum() / (mask.sum() * frames.shape[1])


def _free(fitted: Fit, observation: Observation, config: FitConfig, tick: Callable[[int], object]) -> Fit:
    """Go on from the best code with the first layers behind it freed, in a copy of the decoder."""
    model = copy.copy(fitted.model)
    model._modules = {**model._modules, "decoder": copy.deepcopy(model.decoder)}
    weights = first_layers(model)
    for weight in weights:
        weight.requires_grad_(True)
    last = replace(config, steps=config.free_steps, rate=config.rate / 2)
    code = _descend(model, fitted.code, observation, last, weights, tick)
    error = observed_errors(model, code, observation)
    if float(error) >= float(fitted.errors[0]):
        return fitted
    return Fit(model, code, error, fitted.starts[:1], fitted.encoded)


def first_layers(model: InrvModel) -> list[nn.Parameter]:
    """Return the weights of the first layers behind the code: of a hypernetwork's heads, of a trunk, of the styles."""
    decoder: Any = model.decoder
    hyper: Any = getattr(decoder, "hyper", decoder)
    if hasattr(hyper, "heads"):
        layers: list[nn.Module] = [hyper.heads.first]
    elif hasattr(hyper, "trunk"):
        layers = [hyper.trunk[0]]
    else:
        layers = [decoder.whole, decoder.moving[0]]
    return [weight for layer in layers for weight in layer.parameters()]
