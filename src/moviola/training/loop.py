"""The training loop. It knows no family: an objective brings networks, optimizers and one step.

An objective's step calls `Context.update` once for every optimizer it wants to move, in its own order: twice for a
GAN, three times when R1 is due, once for diffusion; an auto-decoder's latents are parameters like any others.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

from moviola.core.atomic import write_atomic
from moviola.core.config import Config
from moviola.core.errors import ConfigError, NonFiniteError
from moviola.core.progress import progress
from moviola.core.seeds import derive, torch_generator
from moviola.data.loader import Batch, Loader, Samples
from moviola.training import checkpoint
from moviola.training.distributed import Place, any_rank, average_gradients, average_scalars, broadcast
from moviola.training.ema import EMA
from moviola.training.logs import RunLog
from moviola.training.run_lock import hold
from moviola.training.schedule import Schedule

Terms = dict[str, Tensor]
T = TypeVar("T")


class TrainerConfig(Config):
    """How to train, whatever the family.

    Attributes:
        steps: optimizer steps in all.
        batch: samples a step and rank (all micro-batches together).
        accumulate: micro-batches the batch is cut into; must divide it.
        precision: "fp32" or "bf16" (autocast; weights stay float32).
        clip: largest gradient norm of an optimizer's parameters; 0 for none.
        ema: decay of the averaged weights; 0 for none.
        schedule: factor on every learning rate.
        seed: of weights, data and noise.
        log_every, sample_every, save_every: steps between log lines, sample videos and checkpoints (0: never).
        keep: newest checkpoints left standing; one more until the first step from the newest was finite.
        threads: CPU threads; 0 leaves PyTorch's choice.
        channels_last: keep convolution weights in channels-last order (faster on CPUs).
        tensorboard: also write TensorBoard files where the package is installed.
    """

    steps: int = Field(ge=1)
    batch: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    clip: float = Field(default=1.0, ge=0)
    ema: float = Field(default=0.999, ge=0, lt=1)
    schedule: Schedule = Schedule()
    seed: int = 0
    log_every: int = Field(default=20, ge=0)
    sample_every: int = Field(default=1000, ge=0)
    save_every: int = Field(default=500, ge=0)
    keep: int = Field(default=2, ge=1)
    threads: int = Field(default=0, ge=0)
    channels_last: bool = False
    tensorboard: bool = True


class Objective(Protocol):
    """What a family brings to the loop."""

    modules: dict[str, nn.Module]
    """Everything with weights, by name; all of it is saved."""

    averaged: tuple[str, ...]
    """Names of the modules that get an EMA copy."""

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """Make the optimizers, by name; called once."""
        ...

    def step(self, micros: list[Batch], context: Context) -> dict[str, float]:
        """Do one step on the micro-batches of one batch; return named scalars for the log."""
        ...

    def samples(self, folder: Path, modules: dict[str, nn.Module], step: int) -> None:
        """Write sample videos of `step` into `folder` with the (averaged) modules; may do nothing."""
        ...


@runtime_checkable
class Judging(Protocol):
    """What an objective may bring beside: figures of the averaged modules, between steps."""

    def judge(self, folder: Path, modules: dict[str, nn.Module], step: int) -> dict[str, float]:
        """Return named figures of `step` for the log, none where none is due; `folder` is the run's.

        Called after every step, by the first process alone, as `Objective.samples` is: what it draws from PyTorch's
        global generators changes nothing of the training.
        """
        ...


class Context:
    """What a step may use: where it runs, its number, its randomness, and `update`."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.config, self.place = trainer.config, trainer.place
        self.step = 0

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.place.device

    def generator(self, *names: int | str) -> torch.Generator:
        """A CPU generator that depends on (seed, step, rank, names) alone."""
        return torch_generator(self.config.seed, "step", self.step, self.place.rank, *names)

    def update(self, name: str, loss: Callable[[Batch, int], Terms], micros: list[Batch]) -> dict[str, float]:
        """Move one optimizer by the mean loss over the micro-batches.

        Args:
            name: of the optimizer.
            loss: from a micro-batch and its number to named terms; the one called "loss" is minimised.
            micros: the micro-batches.

        Returns:
            The terms, averaged over micro-batches.

        Raises:
            NonFiniteError: naming step and term, before any weight has changed.
        """
        optimizer = self._trainer.optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        sums: dict[str, float] = {}
        for number, micro in enumerate(micros):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
                terms = loss(micro, number)
            for key, value in terms.items():
                share = self._finite(float(value.detach()), f"{name}: {key}") / len(micros)
                sums[key] = sums.get(key, 0.0) + share
            (terms["loss"] / len(micros)).backward()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        average_gradients(parameters, self.place.world)
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.config.clip or float("inf"))
        sums["grad"] = self._finite(float(norm), f"{name}: the gradient")
        factor = self.config.schedule.factor(self.step, self.config.steps)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        optimizer.step()
        return {f"{name}/{key}": value for key, value in sums.items()}

    def _finite(self, value: float, term: str) -> float:
        if value != value or value in (float("inf"), float("-inf")):
            raise NonFiniteError(self.step, term, self.config.precision)
        return value


class Trainer:
    """Runs an objective over samples, with logs, checkpoints and exact resume.

    Args:
        config: how to train.
        objective: the family's part.
        samples: the data.
        folder: the run's folder; `log.jsonl`, `checkpoints/`, `samples/` go there.
        place: rank, world and device.
        quiet: no progress bar.
    """

    def __init__(
        self,
        config: TrainerConfig,
        objective: Objective,
        samples: Samples,
        folder: Path,
        place: Place,
        quiet: bool = False,
    ) -> None:
        if config.batch % config.accumulate:
            raise ConfigError(
                f"trainer.batch {config.batch} is not a multiple of trainer.accumulate {config.accumulate}"
            )
        self.config, self.objective, self.folder = config, objective, folder
        self.place, self.quiet = place, quiet
        for module in objective.modules.values():
            module.to(place.device).train()
            if config.channels_last:
                _channels_last(module)
        broadcast(objective.modules.values(), place.world)
        self.optimizers = objective.optimizers()
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        self.ema = {n: EMA(objective.modules[n], config.ema) for n in objective.averaged if config.ema}
        self.loader = Loader(samples, config.batch, derive(config.seed, "data"), place.rank, place.world)
        self.step = 0
        self._is_pruned = True

    # -- state --------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return everything a resumed run needs."""
        return {
            "step": self.step,
            "modules": {k: dict(m.state_dict()) for k, m in self.objective.modules.items()},
            "ema": {k: dict(e.module.state_dict()) for k, e in self.ema.items()},
            "optimizers": {k: o.state_dict() for k, o in self.optimizers.items()},
            "rng": checkpoint.rng_state(self.place.device),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Undo `state`."""
        self.step = state["step"]
        for key, module in self.objective.modules.items():
            module.load_state_dict(state["modules"][key])
        for key, ema in self.ema.items():
            ema.module.load_state_dict(state["ema"].get(key, state["modules"][key]))
        for key, optimizer in self.optimizers.items():
            _load_optimizer(optimizer, state["optimizers"][key])
        checkpoint.set_rng_state(state["rng"], self.place.device)

    def resume(self) -> bool:
        """Go on from the newest whole checkpoint; False when there is none."""
        path = checkpoint.latest(self.folder / "checkpoints")
        if path is None:
            return False
        self.load_state(checkpoint.read(path))
        return True

    def best_modules(self) -> dict[str, nn.Module]:
        """The modules, averaged ones where there is an average."""
        return {k: self.ema[k].module if k in self.ema else m for k, m in self.objective.modules.items()}

    # -- running ------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Train to the last step.

        Raises:
            NonFiniteError: a loss or gradient was not finite.
            KeyboardInterrupt: stopped by a signal, after the step in hand and a checkpoint.
            OutputError: another training is under way in the folder.
        """
        with hold(self.folder, self.place.main):
            self._run()

    def _run(self) -> None:
        log = RunLog(self.folder, self.step, self.config.tensorboard) if self.place.main else None
        try:
            quiet = self.quiet or not self.place.main
            with _stop_flag() as stopped, progress("training", self.config.steps, quiet, self.step) as tick:
                self._steps(log, stopped, tick)
        except NonFiniteError:
            self._drop_spoiled()
            raise
        finally:
            self.loader.close()
            if log:
                log.close()

    def _steps(self, log: RunLog | None, stopped: Callable[[], bool], tick: Callable[..., None]) -> None:
        context, every = Context(self), self.config
        clock, since = time.perf_counter(), self.step
        while self.step < every.steps:
            context.step = self.step
            scalars = self.objective.step(self._micros(self.loader(self.step)), context)
            self._prune()
            for name, ema in self.ema.items():
                ema.update(self.objective.modules[name], self.step)
            self.step += 1
            last = self.step == every.steps
            if every.log_every and (self.step % every.log_every == 0 or last):
                scalars = average_scalars(scalars, self.place)
                now = time.perf_counter()
                scalars["steps_per_second"] = (self.step - since) / max(now - clock, 1e-9)
                clock, since = now, self.step
                if log:
                    log.write(self.step, scalars)
            tick(1, _short(scalars))
            if self.place.main and every.sample_every and (self.step % every.sample_every == 0 or last):
                self._write_samples()
            if log and isinstance(self.objective, Judging):
                figures = self._apart(partial(self.objective.judge, self.folder))
                if figures:
                    log.write(self.step, figures)
            halt = any_rank(stopped(), self.place)
            if last or halt or (every.save_every and self.step % every.save_every == 0):
                self._save()
            if halt and not last:
                raise KeyboardInterrupt

    def _micros(self, batch: Batch) -> list[Batch]:
        size = self.config.batch // self.config.accumulate
        moved = {k: v.to(self.place.device, non_blocking=True) for k, v in batch.items()}
        return [{k: v[i : i + size] for k, v in moved.items()} for i in range(0, self.config.batch, size)]

    def _write_samples(self) -> None:
        folder = self.folder / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        self._apart(partial(self.objective.samples, folder))

    def _apart(self, call: Callable[[dict[str, nn.Module], int], T]) -> T:
        """Call with the averaged modules, in eval mode, and the step, without a trace in the training."""
        modules = self.best_modules()
        was = {k: m.training for k, m in modules.items()}
        rng = checkpoint.rng_state(self.place.device)
        with torch.no_grad():
            result = call({k: m.eval() for k, m in modules.items()}, self.step)
        for k, m in modules.items():
            m.train(was[k])
        checkpoint.set_rng_state(rng, self.place.device)
        return result

    def _save(self) -> None:
        """Write a checkpoint; the one before stays at least until a step from this one was finite.

        Raises:
            NonFiniteError: a weight is not finite; then none is written.
        """
        for name, module in self.best_modules().items():
            if not all(bool(torch.isfinite(p).all()) for p in module.parameters()):
                raise NonFiniteError(self.step, f"a weight of {name}", self.config.precision)
        if self.place.main:
            checkpoint.write(self.folder / "checkpoints", self.step, self.state(), max(self.config.keep, 2))
            self._is_pruned = self.config.keep >= 2
            if self.step == self.config.steps:
                self._prune()

    def _prune(self) -> None:
        """Remove the checkpoints that are too many, now that the newest is known to be good."""
        if self.place.main and not self._is_pruned:
            checkpoint.prune(self.folder / "checkpoints", self.config.keep)
            self._is_pruned = True

    def _drop_spoiled(self) -> None:
        """Remove the checkpoint from which the step that failed began, if there is an older one."""
        folder = self.folder / "checkpoints"
        if self.place.main and any(step < self.step for step in checkpoint.steps(folder)):
            checkpoint.remove(folder, self.step)


def save_config(config: Config, folder: Path) -> None:
    """Write the resolved config of a run beside its logs."""
    write_atomic(folder / "run.json", config.to_json().encode())


def _channels_last(module: nn.Module) -> None:
    for p in module.parameters():
        if p.dim() in (4, 5):
            p.data = p.data.contiguous(
                memory_format=torch.channels_last if p.dim() == 4 else torch.channels_last_3d
            )


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load the moments; the settings (learning rate, betas ...) stay those of this run.

    A moment takes its parameter's memory order again: fused kernels go wrong where the two differ.
    """
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state["state"], "param_groups": groups})
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape and value.dim():
                moments[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _short(scalars: dict[str, float]) -> str:
    return " ".join(f"{k.split('/')[-1]} {v:.3g}" for k, v in list(scalars.items())[:3])


@contextmanager
def _stop_flag() -> Iterator[Callable[[], bool]]:
    """Turn ctrl-C and SIGTERM into a flag while the block runs; a second ctrl-C stops at once."""
    signals: list[int] = []

    def note(number: int, frame: object) -> None:
        if signals:
            raise KeyboardInterrupt
        signals.append(number)

    try:
        old = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread
        yield lambda: False
        return
    try:
        yield lambda: bool(signals)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
