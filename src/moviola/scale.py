"""`moviola.evaluate` with the clips worked on by Ray: on the cores of this machine, or on a cluster.

A clip's features depend on the clip alone, and they are put in the order of the names before anything is computed from
them; so the scores are those of one process. Every worker must see the videos under the same path.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from moviola.core.errors import ConfigError, InputError
from moviola.core.optional import require
from moviola.metrics.kinds import Metric
from moviola.metrics.protocol import Protocol
from moviola.metrics.results import Report
from moviola.pipelines.evaluate.features import Block, Job, Unit
from moviola.pipelines.evaluate.inputs import Given
from moviola.pipelines.evaluate.run import DEFAULT_METRICS
from moviola.pipelines.evaluate.run import evaluate as evaluate_here

_AHEAD = 2  # blocks a worker has waiting


class RayMapper:
    """Works on blocks with Ray; give it to `moviola.evaluate(mapper=...)`.

    Args:
        workers: blocks worked on at once, at least 1; None: as many as Ray has CPUs for.
        address: of a cluster, as `ray.init` takes it ("auto": the one this machine belongs to); None: a Ray that is
            running in this process already, else the cluster that RAY_ADDRESS names, else a local one.
        cpus: CPUs (and torch threads) of a worker, at least 1.
        gpus: GPUs of a worker, 0 and up, parts allowed; the
            networks are loaded here and sent, so this machine needs the device too.

    Raises:
        ConfigError: a number outside its range.
    """

    def __init__(
        self, workers: int | None = None, address: str | None = None, cpus: int = 1, gpus: float = 0
    ) -> None:
        if (workers is not None and workers < 1) or cpus < 1 or gpus < 0:
            raise ConfigError(f"workers and cpus are at least 1 and gpus 0, not {workers}, {cpus} and {gpus}")
        self.workers, self.address, self.cpus, self.gpus = workers, address, cpus, gpus

    def __call__(self, job: Job, blocks: Sequence[Sequence[Unit]]) -> Iterator[Block]:
        """Yield the results as they come.

        Raises:
            InputError: Ray is not installed, or the cluster cannot be reached.
        """
        if not blocks:
            return
        ray = _ray()
        starts_ray = not ray.is_initialized()
        if starts_ray:
            self._start(ray)
        pending: list[Any] = []
        try:
            remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=2)(_work)
            shared = ray.put(job)
            most = self.workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // self.cpus)
            remaining = iter(blocks)
            while True:
                while len(pending) < _AHEAD * most and (units := next(remaining, None)) is not None:
                    pending.append(remote.remote(shared, units, self.cpus))
                if not pending:
                    return
                done, pending = ray.wait(pending, num_returns=1)
                yield ray.get(done[0])
        finally:
            for task in pending:
                ray.cancel(task, force=True)
            if starts_ray:
                ray.shutdown()

    def _start(self, ray: Any) -> None:
        local = {"num_cpus": self.workers * self.cpus} if self.workers and not self.address else {}
        logger = logging.getLogger("ray")
        level = logger.level
        logger.setLevel(logging.ERROR)  # Ray greets on stderr, which is for errors here
        try:
            ray.init(
                address=self.address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                configure_logging=False,
                **local,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            address = self.address or "on this machine"
            raise InputError(f"no Ray at {address!r}: {first}") from None
        finally:
            logger.setLevel(level)


def evaluate(
    real: Given,
    fake: Given,
    metrics: Sequence[str | Metric] | str = DEFAULT_METRICS,
    protocol: str | Protocol = "quick",
    *,
    workers: int | None = None,
    address: str | None = None,
    cpus: int = 1,
    gpus: float = 0,
    **options: Any,
) -> Report:
    """Judge generated video as `moviola.evaluate` does, the clips being worked on by Ray.

    Args:
        real, fake, metrics, protocol, options: as `moviola.evaluate`.
        workers, address, cpus, gpus: as `RayMapper`.

    Raises:
        InputError: as `moviola.evaluate`; Ray is not installed; or the cluster cannot be reached.
    """
    mapper = RayMapper(workers, address, cpus, gpus)
    _ray()
    return evaluate_here(real, fake, metrics, protocol, mapper=mapper, **options)


def _ray() -> Any:
    """Return the Ray package; nothing but a run on Ray imports it."""
    return require("ray", "--ray")


def _work(job: Job, units: Sequence[Unit], threads: int) -> Block:
    """What a worker does."""
    import torch

    torch.set_num_threads(threads)
    return job.run(units)
