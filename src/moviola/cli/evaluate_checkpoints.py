"""`moviola evaluate --checkpoints`: all checkpoints of a run, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moviola.cli.common import emit, say
from moviola.cli.tables import table, width
from moviola.core.errors import ConfigError

NUM = 256


def compare_checkpoints(
    run: Path | None,
    num: int | None,
    others: Mapping[str, object],
    settings: list[str] | None,
    seed: int | None,
    device: str,
    json: bool,
    quiet: bool,
) -> None:
    """Print the distance of each checkpoint; see `moviola.recipes.checkpoints.score_checkpoints`.

    Args:
        run: the run's folder, or the model's.
        num: videos drawn of each; None for 256.
        others: arguments of the comparison of two sets; what is set among them is refused.
        settings: changes of the run's settings.
        seed: of the videos; None for 0.
        device: "cpu" ...
        json, quiet: how to print.

    Raises:
        ConfigError: a number without a run, or an argument that does not go with it.
        InputError, WeightsError: see `score_checkpoints`.
    """
    from moviola.recipes.checkpoints import score_checkpoints

    if run is None:
        raise ConfigError("--num goes with --checkpoints RUN")
    for name, value in others.items():
        if value:
            name = name if name.isupper() else f"--{name}"
            raise ConfigError(
                f"--checkpoints compares with the run's training clips by fvd; leave {name} out"
            )
    result = score_checkpoints(
        run, num or NUM, settings=settings or [], seed=seed or 0, device=device, quiet=quiet or json
    )
    if json:
        emit(result)
        return
    say(
        f"fvd of {result.n_fake} videos of each checkpoint against {result.n_real} training clips ({result.recipe})",
        quiet=quiet,
    )
    rows = [
        [str(one.step), f"{one.fvd:.2f}", "lowest" if one.step == result.best else "", str(one.path)]
        for one in result.checkpoints
    ]
    for line in table(["step", "fvd", "", "checkpoint"], rows, width()):
        say(line, quiet=quiet)
