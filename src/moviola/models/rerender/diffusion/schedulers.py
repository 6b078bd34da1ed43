"""The schedulers of the diffusers library by short names, and the clean picture that each of them has in mind.

The constraints of Rerender-A-Video change the predicted clean latent x0. Its authors wrote that into the arithmetic of
DDIM. Here x0 is taken from the network's output, changed, and put back as the output that the network would have given
for it; the scheduler then does its own step, whichever it is.

What a scheduler carries from step to step is alpha * x0 + sigma * noise. DDIM and LCM read alpha and sigma from the
training schedule at the timestep; the DPM-Solvers and UniPC from their list of sigmas; Euler's alpha is 1.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moviola.core.errors import ConfigError, InputError, UnknownNameError
from moviola.core.optional import require

if TYPE_CHECKING:
    from torch import Tensor

OWN = "own"

# name: class in diffusers, settings that make it this solver, what it is
SCHEDULERS: dict[str, tuple[str, dict[str, Any], str]] = {
    "ddim": ("DDIMScheduler", {}, "DDIM (Song et al. 2021)"),
    "dpm-2m": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "solver_order": 2},
        "DPM-Solver++ 2M (Lu et al. 2022)",
    ),
    "dpm-2s": (
        "DPMSolverSinglestepScheduler",
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True},
        "DPM-Solver++ 2S (Lu et al. 2022)",
    ),
    "dpm-sde": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "sde-dpmsolver++", "solver_order": 2},
        "SDE-DPM-Solver++ 2M (Lu et al. 2022)",
    ),
    "unipc": ("UniPCMultistepScheduler", {}, "UniPC (Zhao et al. 2023)"),
    "euler": ("EulerDiscreteScheduler", {}, "Euler (Karras et al. 2022, algorithm 2 without churn)"),
    "lcm": ("LCMScheduler", {}, "LCM (Luo et al. 2023); for consistency models and LCM-LoRA, 4 to 8 steps"),
}
SCHEDULER_NAMES = (*SCHEDULERS, OWN)
PREDICTIONS = ("epsilon", "v_prediction", "sample")
_TIMED = ("DDIMScheduler", "LCMScheduler", "DDPMScheduler")
_SIGMAS = ("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler")
_UNSCALED = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")


def make_scheduler(name: str, base: Any) -> Any:
    """Return a new scheduler; `base` stays as it is.

    Args:
        name: a key of `SCHEDULERS`, or "own" for one like `base`.
        base: the scheduler of a pipeline; its noise schedule and prediction type are kept.

    Raises:
        UnknownNameError: another name.
        ConfigError: "own" is a kind, or predicts something, that the constraints cannot read.
    """
    diffusers = require("diffusers", "a scheduler")
    if name == OWN:
        kind, settings = type(base).__name__, {}
    elif name in SCHEDULERS:
        kind, settings, _ = SCHEDULERS[name]
    else:
        raise UnknownNameError.of("scheduler", name, SCHEDULER_NAMES)
    if kind not in (*_TIMED, *_SIGMAS, *_UNSCALED):
        raise ConfigError(f"scheduler {kind} is not supported; choose {', '.join(SCHEDULERS)}")
    made = getattr(diffusers, kind).from_config(base.config, **settings)
    if made.config.prediction_type not in PREDICTIONS:
        raise ConfigError(
            f"the model predicts {made.config.prediction_type!r}; supported are {', '.join(PREDICTIONS)}"
        )
    return made


@dataclass(frozen=True)
class Schedule:
    """The steps that really run.

    Attributes:
        scheduler: a scheduler of diffusers, its timesteps set.
        timesteps: (n,), from the noisiest on.
        first: how many of the scheduler's timesteps are left out before them.
    """

    scheduler: Any
    timesteps: Tensor
    first: int

    def level(self, i: int) -> Level:
        """Return the noise level of the latent that enters step `i` (0 <= i < n)."""
        kind, scheduler = type(self.scheduler).__name__, self.scheduler
        prediction = scheduler.config.prediction_type
        if kind in _TIMED:
            kept = float(scheduler.alphas_cumprod[int(self.timesteps[i])])
            return Level(kept**0.5, (1 - kept) ** 0.5, prediction)
        sigma = float(scheduler.sigmas[self.first + i])
        if kind in _UNSCALED:
            return Level(1.0, sigma, prediction)
        alpha = (1 + sigma**2) ** -0.5
        return Level(alpha, sigma * alpha, prediction)


@dataclass(frozen=True)
class Level:
    """How much of a latent is picture and how much noise: latent = alpha * x0 + sigma * noise.

    Attributes:
        alpha: weight of the clean latent, above 0.
        sigma: weight of the noise, above 0.
        prediction: what the network's output means: "epsilon" (the noise), "sample" (x0) or "v_prediction"
            (Salimans and Ho 2022, "Progressive Distillation", section 4 and appendix D).
    """

    alpha: float
    sigma: float
    prediction: str

    @property
    def _size(self) -> float:
        return (self.alpha**2 + self.sigma**2) ** 0.5  # 1 but for schedulers whose alpha is 1

    def clean(self, output: Tensor, latent: Tensor) -> Tensor:
        """Return x0, float32, as the network's `output` for `latent` predicts it (both of one shape)."""
        output, latent = output.float(), latent.float()
        if self.prediction == "sample":
            return output
        if self.prediction == "epsilon":
            return (latent - self.sigma * output) / self.alpha
        size = self._size
        return self.alpha / size**2 * latent - self.sigma / size * output

    def output(self, clean: Tensor, latent: Tensor) -> Tensor:
        """Return the network's output, float32, that predicts `clean` for `latent`: the inverse of `clean`."""
        clean, latent = clean.float(), latent.float()
        if self.prediction == "sample":
            return clean
        if self.prediction == "epsilon":
            return (latent - self.alpha * clean) / self.sigma
        size = self._size
        return (self.alpha / size**2 * latent - clean) * (size / self.sigma)


def schedule(scheduler: Any, steps: int, strength: float, device: Any) -> Schedule:
    """Set a scheduler's timesteps and leave out the first of them, as image-to-image pipelines do.

    Source: Meng et al. 2022, "SDEdit", section 3: the more is left out, the more of the input stays.

    Args:
        scheduler: of diffusers; it is changed.
        steps: that are asked for, at least 1.
        strength: share of them that runs, above 0 and up to 1; rounded down to whole steps.
        device: where the timesteps shall be.

    Raises:
        ConfigError: none is left, or the scheduler refuses that number.
    """
    try:
        scheduler.set_timesteps(steps, device=device)
    except ValueError as error:
        raise ConfigError(f"steps {steps}: {' '.join(str(error).split())[:160]}") from None
    run = min(int(steps * strength), steps)
    if run < 1:
        raise ConfigError(
            f"strength {strength:g} of {steps} steps leaves none to run; raise strength to at least {1 / steps:g}"
        )
    order = getattr(scheduler, "order", 1)
    if order != 1:
        raise InputError(f"scheduler {type(scheduler).__name__} calls the model {order} times a step")
    first = steps - run
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    return Schedule(scheduler, scheduler.timesteps[first:], first)


def step_options(scheduler: Any, eta: float, generator: Any) -> dict[str, Any]:
    """Return those of `eta` (DDIM's share of fresh noise) and `generator` that this scheduler's step takes."""
    known = inspect.signature(scheduler.step).parameters
    return {name: value for name, value in (("eta", eta), ("generator", generator)) if name in known}
