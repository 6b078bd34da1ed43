"""Training runs of the frequency-based motion GAN."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.seeds import numpy_generator, seeded
from moviola.core.weights import start_from
from moviola.data.loader import Samples, collate
from moviola.data.sources import source_exists
from moviola.data.toys import sinusoid
from moviola.data.windows import SinusoidWindows, VideoWindows
from moviola.models.freqmotion import (
    DiscriminatorConfig,
    FreqMotionConfig,
    FreqMotionGenerator,
    MotionReader,
    make_discriminator,
)
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.freqmotion import GENERATOR, FreqMotionObjective, FreqMotionObjectiveConfig

_SHOWN = 4


class WindowsConfig(Config):
    """Which videos to train on.

    Attributes:
        path: videos of any layout; None for the toy `sinusoid`, drawn as it is needed.
        stride: take every `stride`-th frame.
        toy: settings of the toy; its size and frames are the model's.
    """

    path: Path | None = None
    stride: int = Field(default=1, ge=1)
    toy: sinusoid.Config = sinusoid.Config()

    def open(self, size: int, frames: int) -> Samples:
        """Open windows of `frames` frames of H = W = `size` px.

        Raises:
            ConfigError: no data at the path. InputError: no video has enough frames.
        """
        if self.path is None:
            return SinusoidWindows(self.toy.model_copy(update={"size": size, "frames": frames}))
        if not source_exists(self.path):
            raise ConfigError(f"no data at {self.path}; give --data an existing folder")
        return VideoWindows(self.path, size, frames, self.stride)


class FreqMotionRun(Config):
    """A run that trains `FreqMotionGenerator` against one discriminator or several.

    Attributes:
        recipe: which recipe made it.
        part: name of the run's folder and of the network that becomes the model.
        data, model, objective, trainer: its parts.
        critic: the discriminators, by name.
        start: folder of a trained model that the generator starts from; what it lacks starts fresh.
        fresh: parts of the generator that start fresh all the same, such as "banks".
    """

    recipe: str
    part: Literal["generator"] = GENERATOR
    data: WindowsConfig = WindowsConfig()
    model: FreqMotionConfig
    critic: dict[str, DiscriminatorConfig] = Field(min_length=1)
    objective: FreqMotionObjectiveConfig = FreqMotionObjectiveConfig()
    trainer: TrainerConfig
    start: Path | None = None
    fresh: tuple[str, ...] = ()

    def build(self) -> tuple[Objective, Samples]:
        """Make the networks, seeded, and the samples.

        Raises:
            ConfigError: settings that do not fit together, or no data. WeightsError: nothing to start from.
        """
        if self.fresh and self.start is None:
            raise ConfigError("fresh names what is not taken from a trained model; set start to its folder")
        for name, critic in self.critic.items():
            if name == GENERATOR or critic.size != self.model.size or critic.frames > self.model.frames:
                raise ConfigError(
                    f"the discriminator {name!r} sees {critic.frames} frames of {critic.size} px, the model makes "
                    f"{self.model.frames} of {self.model.size} px; set critic.{name}.size and .frames to fit"
                )
        samples = self.data.open(self.model.size, self.model.frames)
        model = self.model
        if isinstance(samples, VideoWindows):
            model = model.model_copy(update={"fps": float(samples.fps)})
        with seeded(self.trainer.seed, "weights"):
            generator = FreqMotionGenerator(model)
            critics = {name: make_discriminator(config) for name, config in self.critic.items()}
            first = next(iter(self.critic.values()))
            informed = self.objective.information > 0
            reader = self._reader(first) if informed else None
        if self.start is not None:
            start_from(generator, self.start, self.fresh)
        shown = None
        if self.trainer.sample_every:
            shown = collate([samples.sample(numpy_generator(0, "shown", i)) for i in range(_SHOWN)])
        return FreqMotionObjective(generator, critics, self.objective, shown, reader), samples

    def _reader(self, sizes: DiscriminatorConfig) -> MotionReader:
        return MotionReader(sizes, self.model.style, self.model.parts or len(self.model.ranges))

    def manifest(self) -> None:
        """A generator is a model folder by itself."""
        return


def freqmotion_debug(path: Path | None = None) -> FreqMotionRun:
    """Moving shapes at 16x16; under 30 s on a CPU; needs no data."""
    return FreqMotionRun(
        recipe="freqmotion_debug",
        data=WindowsConfig(path=path),
        model=FreqMotionConfig(
            size=16, fps=8, content=16, motion=16, style=16, content_layers=2, features=16, widths=(16, 16, 8)
        ),
        critic={"time": DiscriminatorConfig(size=16, widths=(8, 16, 16))},
        objective=FreqMotionObjectiveConfig(r1_every=8, augment=""),
        trainer=TrainerConfig(steps=40, batch=8, clip=0, log_every=5, sample_every=40, save_every=20),
    )


def freqmotion_toy(path: Path | None = None) -> FreqMotionRun:
    """Three shapes at any of three speeds each, 32x32, drawn as they are needed; hours of one CPU core."""
    return FreqMotionRun(
        recipe="freqmotion_toy",
        data=WindowsConfig(path=path),
        model=FreqMotionConfig(
            size=32,
            fps=8,
            content=64,
            motion=64,
            style=96,
            content_layers=2,
            motion_layers=2,
            rate=0.1,
            center=True,
            gated=True,
            shifts=True,
            stationary=True,
            activate=False,
            ranges=((0.6, 1.2), (1.5, 2.2), (3.0, 4.2)),
            features=3,
            parts=3,
            widths=(64, 64, 48, 32),
        ),
        critic={"time": DiscriminatorConfig(size=32, frames=4, absolute=True, widths=(32, 48, 64, 64))},
        objective=FreqMotionObjectiveConfig(r1=0.1, augment="", span=6.0, information=1.0),
        trainer=TrainerConfig(
            steps=40000,
            batch=16,
            clip=0,
            ema=0.999,
            precision="bf16",
            threads=1,
            channels_last=True,
            log_every=50,
            sample_every=1000,
            save_every=1000,
        ),
    )


def freqmotion_paper(path: Path | None = None) -> FreqMotionRun:
    """The paper's sizes and settings at 256x256, on anyone's videos; days on eight GPUs (`torchrun`)."""
    widths = (128, 256, 512, 512, 512, 512, 512)
    return FreqMotionRun(
        recipe="freqmotion_paper",
        data=_needed(path, stride=2),
        model=FreqMotionConfig(),
        critic={
            "image": DiscriminatorConfig(kind="image", frames=1, widths=widths),
            "video": DiscriminatorConfig(kind="video", frames=16, widths=(64, 128, 256, 512)),
        },
        trainer=TrainerConfig(steps=300_000, batch=8, clip=0, ema=0.5 ** (8 / 10_000), save_every=5000),
    )


def freqmotion_videos(path: Path | None = None) -> FreqMotionRun:
    """Anyone's videos at 64x64, narrow; one GPU or a patient CPU."""
    return FreqMotionRun(
        recipe="freqmotion_videos",
        data=_needed(path),
        model=FreqMotionConfig(
            size=64,
            content=128,
            motion=128,
            style=128,
            content_layers=4,
            rate=0.1,
            center=True,
            ranges=((0.0, 3.0), (3.0, 5.0), (5.0, 7.0)),
            features=128,
            widths=(128, 128, 96, 64, 32),
        ),
        critic={"time": DiscriminatorConfig(size=64, frames=4, pack=2, widths=(32, 64, 96, 128, 128))},
        objective=FreqMotionObjectiveConfig(r1=1.0),
        trainer=TrainerConfig(steps=50_000, batch=16, clip=0, precision="bf16", channels_last=True),
    )


def _needed(path: Path | None, stride: int = 1) -> WindowsConfig:
    """Return the data of a recipe that needs videos.

    Raises:
        ConfigError: no path, or nothing there.
    """
    if path is None:
        raise ConfigError("this recipe trains on videos; give --data PATH")
    if not source_exists(path):
        raise ConfigError(f"no data at {path}; give --data an existing folder")
    return WindowsConfig(path=path, stride=stride)


RECIPES = (freqmotion_debug, freqmotion_toy, freqmotion_paper, freqmotion_videos)
