"""The options that only pipelines of diffusers take, as they stand on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from moviola.cli.common import read_size
from moviola.core.errors import ConfigError

if TYPE_CHECKING:
    from moviola.pipelines.hub_generator import HubSettings

HUB = "hub:"

Size = Annotated[str | None, typer.Option("--size", metavar="WxH", help="hub: models: width and height, px.")]
Steps = Annotated[int | None, typer.Option("--steps", metavar="N", help="hub: models: denoising steps.")]
Guidance = Annotated[
    float | None, typer.Option("--guidance", metavar="G", help="hub: models: weight of guidance by the text.")
]
Negative = Annotated[
    str | None, typer.Option("--negative", metavar="TEXT", help="hub: models: what shall not be seen.")
]


@dataclass(frozen=True)
class HubOptions:
    """What only pipelines of diffusers take; None leaves it to the pipeline.

    Attributes:
        size: "WIDTHxHEIGHT".
        steps: of denoising.
        guidance: weight of classifier-free guidance.
        negative: what shall not be seen.
    """

    size: str | None = None
    steps: int | None = None
    guidance: float | None = None
    negative: str | None = None

    def check(self, model: str, own: tuple[str, ...] = ()) -> None:
        """Refuse them for our own models.

        Args:
            model: its name or folder.
            own: those that this model takes all the same.

        Raises:
            ConfigError: another one is given.
        """
        given = [f"--{k}" for k, value in self.__dict__.items() if value is not None and k not in own]
        if given and not model.startswith(HUB):
            raise ConfigError(f"{', '.join(given)} is for {HUB}NAME; model {model} has no such setting")

    def settings(self) -> HubSettings:
        """Return them as `moviola.pipelines` takes them.

        Raises:
            ConfigError: a size that is not two whole numbers of at least 1.
        """
        from moviola.pipelines.hub_generator import HubSettings

        return HubSettings(read_size(self.size), self.steps, self.guidance, negative=self.negative or "")
