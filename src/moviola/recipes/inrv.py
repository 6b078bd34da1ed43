"""Training runs of INR-V, a space of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.seeds import seeded
from moviola.core.weights import start_from
from moviola.data.loader import Samples
from moviola.data.toys import sinusoid
from moviola.data.whole_clips import ClipTable, DrawnTable, Draws, WholeClips
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.inrv import MODEL, InrvObjective, InrvObjectiveConfig
from moviola.training.schedule import Schedule


class TableConfig(Config):
    """Which clips to train on.

    Attributes:
        path: videos of any layout, or a list of paths, one a line; None for the toy `sinusoid`.
        stride: take every `stride`-th frame.
        loop: begin again where a file is too short, for animations that repeat; else such files are left out.
        limit: take the first so many clips; None for all.
        hold_out: leave out the last of every so many clips, to measure on; 0 for none.
        count: clips of the toy.
        toy: settings of the toy; its size and frames are the model's.
    """

    path: Path | None = None
    stride: int = Field(default=1, ge=1)
    loop: bool = False
    limit: int | None = Field(default=None, ge=1)
    hold_out: int = Field(default=0, ge=0)
    count: int = Field(default=16, ge=1)
    toy: sinusoid.Config = sinusoid.Config()

    def open(self, height: int, width: int, frames: int, *, held: bool = False) -> ClipTable:
        """Open the clips at H, W and T, or with `held` the ones held out.

        Raises:
            ConfigError: no data at the path. InputError: no clip has enough frames.
        """
        if self.path is None:
            if height != width:
                raise ConfigError("the clips of the toy are square; set model.height and model.width alike")
            return DrawnTable(self.count, self.toy.model_copy(update={"size": height, "frames": frames}))
        if not self.path.exists():
            raise ConfigError(f"no data at {self.path}; give --data an existing folder or list")
        return WholeClips(
            self.path, height, width, frames, self.stride,
            loop=self.loop, limit=self.limit, hold_out=self.hold_out, held=held,
        )  # fmt: skip


class InrvRun(Config):
    """A run that trains `InrvModel`.

    Attributes:
        recipe: which recipe made it.
        part: name of the run's folder and of the network that becomes the model.
        data, model, objective, trainer: its parts; the model's captions and fps are those of the data.
        prior_steps: steps of the prior, after the rest.
        start: folder of a trained model to start from; what it lacks starts fresh.
    """

    recipe: str
    part: Literal["model"] = MODEL
    data: TableConfig = TableConfig()
    model: InrvConfig
    objective: InrvObjectiveConfig = InrvObjectiveConfig()
    trainer: TrainerConfig
    prior_steps: int = Field(default=4000, ge=0)
    start: Path | None = None

    def build(self) -> tuple[Objective, Samples]:
        """Make the network, seeded, and the samples."""
        if self.objective.clip_frames > self.model.frames:
            raise ConfigError(
                f"objective.clip_frames {self.objective.clip_frames} is more than the model's "
                f"{self.model.frames} frames"
            )
        clips = self.data.open(self.model.height, self.model.width, self.model.frames)
        config = self.model.model_copy(update={"captions": clips.captions, "fps": clips.fps})
        with seeded(self.trainer.seed, "weights"):
            model = InrvModel(config)
        if self.start is not None:
            start_from(model, self.start)
        if self.objective.points and not model.decoder.pointwise:
            raise ConfigError(f"the decoder {config.decoder!r} draws whole frames; set objective.points to 0")
        self._objective = InrvObjective(model, clips, self.objective)
        return self._objective, Draws()

    def manifest(self) -> None:
        """The model is a model folder by itself."""
        return

    def finished(self, module: Any, output: Path) -> Any:
        """Write the codes into the model and fit its prior."""
        return self._objective.finish(module, self.prior_steps, self.trainer.seed)


def inrv_debug(path: Path | None = None) -> InrvRun:
    """Sixteen clips of moving shapes at 16x16; under 30 s on a CPU; needs no data."""
    return InrvRun(
        recipe="inrv_debug",
        data=TableConfig(path=path),
        model=InrvConfig(
            frames=8, height=16, width=16, latent=16, decoder="low-rank", hidden=32, layers=2, rank=4,
            head_hidden=32, head_layers=2, encoder=(8, 16), prior=32,
        ),
        objective=InrvObjectiveConfig(
            learning_rate=2e-3, latent_rate=1e-2, clip_frames=4, points=256, encoder_share=0.25
        ),
        trainer=TrainerConfig(steps=60, batch=8, log_every=10, sample_every=60, save_every=30),
        prior_steps=50,
    )  # fmt: skip


def inrv_smileys(path: Path | None = None) -> InrvRun:
    """Animated faces at 64x64, a convolutional decoder with an encoder and a prior; an hour or two of one CPU core."""
    return InrvRun(
        recipe="inrv_smileys",
        data=_needed(path, stride=2, loop=True, hold_out=9),
        model=InrvConfig(
            frames=36, height=64, width=64, latent=128, init_std=0.5, decoder="conv", octaves=6, head_hidden=192,
            widths=(192, 128, 96, 64, 32), encoder=(24, 48, 96, 128), prior=256,
        ),
        objective=InrvObjectiveConfig(
            learning_rate=2e-3, latent_rate=1e-2, clip_frames=4, moments="all", encoder_share=0.25,
            latent_weight=1e-4,
        ),
        trainer=TrainerConfig(
            steps=11_000, batch=8, ema=0.999, precision="bf16", threads=1, channels_last=True,
            schedule=Schedule(kind="cosine", warmup=200, floor=0.02), log_every=50, sample_every=1000, save_every=500,
        ),
    )  # fmt: skip


def _needed(path: Path | None, **values: Any) -> TableConfig:
    """Return the data of a recipe that needs videos.

    Raises:
        ConfigError: no path, or nothing there.
    """
    if path is None:
        raise ConfigError("this recipe trains on videos; give --data PATH")
    if not path.exists():
        raise ConfigError(f"no data at {path}; give --data an existing folder or list")
    return TableConfig(path=path, **values)


RECIPES = (inrv_debug, inrv_smileys)
