"""Training runs of the refiners (REGIS)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError
from moviola.core.names import natural_key
from moviola.core.seeds import numpy_generator, seeded
from moviola.core.weights import start_from
from moviola.data.captioned import DrawnClips
from moviola.data.corrupt import FAULTS, HOLES, UNKNOWABLE, Mixture
from moviola.data.crops import FlawedCrops
from moviola.data.flawed import Flawed, Pairs
from moviola.data.loader import Batch, Samples, collate
from moviola.data.sample_mixture import SampleMixture
from moviola.data.sources import open_source, source_exists
from moviola.models.catalog import model_folder
from moviola.models.regis.fuse import FuseConfig, FuseRefiner
from moviola.models.regis.unet import UnetConfig, UnetRefiner
from moviola.models.regis.vq import VqConfig, VqRefiner
from moviola.nn.words import tokenize
from moviola.recipes.perceptual import PerceptualConfig
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.lora import add_lora, merge_lora, save_lora
from moviola.training.objectives.regis_fuse import RegisFuseObjective, RegisFuseObjectiveConfig
from moviola.training.objectives.regis_u import RegisUObjective, RegisUObjectiveConfig
from moviola.training.objectives.regis_vq import RegisVqObjective, RegisVqObjectiveConfig
from moviola.training.schedule import Schedule

REAL, GENERATED = "real", "generated"
_SHOWN = 4


class RefinerDataConfig(Config):
    """What a refiner is trained on.

    Attributes:
        path: real videos of any layout; or a folder with `real` and `generated` in it (`moviola data pairs`); or a
            folder of several such folders, drawn from equally often. None: drawn digits.
        mixture: which flaws are put into real clips; its JSON file may be given (`moviola data match`).
        paired: share of the samples that are pairs of a generated clip and its real one, where there are pairs.
        stride: take every `stride`-th frame.
        crop: H = W of pieces that frames are cut into for training, px; 0 for whole frames.
        count: number of drawn digits clips.
    """

    path: Path | None = None
    mixture: Mixture | Path = Mixture()
    paired: float = Field(default=0.5, ge=0, le=1)
    stride: int = Field(default=1, ge=1)
    crop: int = Field(default=0, ge=0)
    count: int = Field(default=64, ge=1)

    def open(self, frames: int, size: int, *, text: bool) -> Samples:
        """Open the samples, of T = `frames` and H = W = `size` (or `crop`).

        Raises:
            ConfigError: no data at the path.
        """
        samples = self._whole(frames, size, text)
        return FlawedCrops(samples, self.crop) if self.crop else samples

    def _whole(self, frames: int, size: int, text: bool) -> Samples:
        if self.path is None:
            clips = DrawnClips("digits", self.count, 0, size=size, frames=16, elements=(1, 1))
            return self._flawed(clips, frames, size, None, text)
        _needed(self.path)
        folders = (
            [self.path]
            if _paired(self.path)
            else sorted(filter(_paired, self.path.glob("*")), key=lambda f: natural_key(f.name))
        )
        if not folders:
            return self._flawed(open_source(self.path).part(held=False), frames, size, None, text)
        sets = []
        for folder in folders:
            pairs = Pairs(folder / GENERATED, folder / REAL, size)
            sets.append(self._flawed(open_source(folder / REAL), frames, size, pairs, text))
        return sets[0] if len(sets) == 1 else SampleMixture(sets)

    def _flawed(self, clips: Any, frames: int, size: int, pairs: Pairs | None, text: bool) -> Flawed:
        mixture = Mixture.load(self.mixture) if isinstance(self.mixture, Path) else self.mixture
        return Flawed(
            clips,
            mixture,
            frames,
            size=size,
            stride=self.stride,
            words=tokenize if text else None,
            pairs=pairs,
            paired=self.paired,
        )


def _paired(folder: Path) -> bool:
    return (folder / REAL).is_dir() and (folder / GENERATED).is_dir()


class RefinerRun(Config):
    """A run that trains a refiner.

    Attributes:
        recipe: which recipe made it.
        part: name of the run's folder.
        data, model, objective, trainer: its parts.
        start: name or folder of a trained refiner to start from.
        lora: rank of low-rank adapters, which alone are trained then, on the refiner of `start`; 0 for none. They are
            written to `OUT/lora`, and merged into the network in OUT.
    """

    recipe: str
    part: Literal["refiner"] = "refiner"
    data: RefinerDataConfig = RefinerDataConfig()
    model: Any
    objective: Any
    trainer: TrainerConfig
    start: Path | None = None
    lora: int = Field(default=0, ge=0)

    def finished(self, network: Any, output: Path) -> Any:
        """Return the plain network of a trained one; with adapters, keep these in `output/lora` and merge them."""
        if not self.lora:
            return network
        save_lora(network, output / "lora")
        return merge_lora(network)

    def _network(self, kind: type[Any]) -> Any:
        """Make the network, seeded; weights from `start` where there is one."""
        with seeded(self.trainer.seed, "weights"):
            network = kind(self.model)
        if self.lora and self.start is None:
            raise ConfigError("adapters (lora) are trained on a refiner; give its folder as start")
        if self.start is not None:
            start_from(network, model_folder(self.start))
        return add_lora(network, self.lora, seed=self.trainer.seed) if self.lora else network

    def _samples(self) -> tuple[Samples, Batch | None]:
        samples = self.data.open(self.model.frames, self.model.size, text=self.model.text)
        shown = None
        if self.trainer.sample_every:
            shown = collate([samples.sample(numpy_generator(0, "shown", i)) for i in range(_SHOWN)])
        return samples, shown

    def manifest(self) -> None:
        """A refiner is a model folder by itself."""


class RegisURun(RefinerRun):
    """A run that trains `UnetRefiner`; attributes as `RefinerRun`."""

    model: UnetConfig
    objective: RegisUObjectiveConfig = RegisUObjectiveConfig()

    def build(self) -> tuple[Objective, Samples]:
        """Make the network and the samples."""
        samples, shown = self._samples()
        return RegisUObjective(self._network(UnetRefiner), self.objective, shown), samples


class RegisVqRun(RefinerRun):
    """A run that trains `VqRefiner`.

    Attributes:
        perceptual: the network of the perceptual loss, where that has a weight. The others as `RefinerRun`.
    """

    model: VqConfig
    objective: RegisVqObjectiveConfig = RegisVqObjectiveConfig()
    perceptual: PerceptualConfig = PerceptualConfig()

    def build(self) -> tuple[Objective, Samples]:
        """Make the network and the samples."""
        samples, shown = self._samples()
        size = self.data.crop or self.model.size
        lpips = self.perceptual.load(size, size) if self.objective.lpips else None
        return RegisVqObjective(self._network(VqRefiner), self.objective, shown, lpips), samples


class RegisFuseRun(RefinerRun):
    """A run that trains `FuseRefiner`; attributes as `RefinerRun`."""

    model: FuseConfig
    objective: RegisFuseObjectiveConfig = RegisFuseObjectiveConfig()

    def build(self) -> tuple[Objective, Samples]:
        """Make the networks and the samples."""
        samples, shown = self._samples()
        return RegisFuseObjective(self._network(FuseRefiner), self.objective, shown), samples


_SMALL_U = UnetConfig(
    dim=32,
    multipliers=(1, 3, 5),
    blocks=1,
    patch=2,
    heads=1,
    head=24,
    condition=128,
    recall=0,
    frames=16,
    text=True,
)
_SMALL_VQ = VqConfig(size=64, frames=8, codes=1024, code_width=64, hidden=96, layers=2, downsample=(2, 4, 4))
_SMALL_FUSE = FuseConfig(
    encoder=64, encoder_layers=2, width=128, blocks=4, fusion=10, output="residual", skips=True
)
_TEXTUAL = {
    **dict.fromkeys((*HOLES, *FAULTS), 1.0),
    **dict.fromkeys(UNKNOWABLE, 6.0),
}  # a quarter is for the text
_DEBUG = TrainerConfig(steps=12, batch=2, log_every=4, sample_every=12, save_every=12)


def _trainer(steps: int, batch: int) -> TrainerConfig:
    return TrainerConfig(
        steps=steps,
        batch=batch,
        precision="bf16",
        channels_last=True,
        ema=0.998,
        schedule=Schedule(kind="cosine", warmup=100, floor=0.02),
    )


def _needed(path: Path | None) -> Path:
    """Return the path of the data, which must be there."""
    if path is None:
        raise ConfigError(
            "this recipe needs clips; give --data PATH (real videos, or what moviola data pairs wrote)"
        )
    if not source_exists(path):
        raise ConfigError(f"no data at {path}; give --data an existing folder")
    return path


def regis_u_debug(path: Path | None = None) -> RegisURun:
    """REGIS-U on drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    model = _SMALL_U.model_copy(update={"dim": 16, "multipliers": (1, 2), "size": 32, "condition": 32})
    return RegisURun(recipe="regis_u_debug", data=RefinerDataConfig(path=path), model=model, trainer=_DEBUG)


def regis_u_pairs(path: Path | None = None) -> RegisURun:
    """A small REGIS-U on generated clips and corrupted real ones at 64x64, with text."""
    return RegisURun(
        recipe="regis_u_pairs",
        data=RefinerDataConfig(
            path=_needed(path),
            paired=0.6,
            mixture=Mixture(weights=_TEXTUAL, most=2, strength=(0.2, 0.9), clean=0.05),
        ),
        model=_SMALL_U,
        objective=RegisUObjectiveConfig(learning_rate=8e-4),
        trainer=_trainer(6000, 8),
    )


def regis_u_videos(path: Path | None = None) -> RegisURun:
    """REGIS-U in the document's sizes on anyone's videos: for a GPU."""
    return RegisURun(
        recipe="regis_u_videos",
        data=RefinerDataConfig(path=_needed(path)),
        model=UnetConfig(text=True),
        trainer=_trainer(40000, 16),
    )


def regis_vq_debug(path: Path | None = None) -> RegisVqRun:
    """REGIS-VQ on drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    model = VqConfig.make({**_SMALL_VQ.model_dump(), "size": 32, "hidden": 24, "layers": 1, "codes": 64})
    return RegisVqRun(recipe="regis_vq_debug", data=RefinerDataConfig(path=path), model=model, trainer=_DEBUG)


def regis_vq_pairs(path: Path | None = None) -> RegisVqRun:
    """A small REGIS-VQ on generated clips and corrupted real ones at 64x64."""
    return RegisVqRun(
        recipe="regis_vq_pairs",
        data=regis_u_pairs(path).data,
        model=_SMALL_VQ,
        objective=RegisVqObjectiveConfig(learning_rate=1e-3),
        trainer=_trainer(5000, 8),
    )


def regis_vq_videos(path: Path | None = None) -> RegisVqRun:
    """REGIS-VQ in the document's sizes, 16x128x128, on anyone's videos: for a GPU."""
    return RegisVqRun(
        recipe="regis_vq_videos",
        data=RefinerDataConfig(path=_needed(path)),
        model=VqConfig(),
        trainer=_trainer(40000, 16),
    )


def regis_fuse_debug(path: Path | None = None) -> RegisFuseRun:
    """REGIS-Fuse on drawn digits at 32x32; under 30 s on a CPU; needs no data."""
    model = FuseConfig.make({**_SMALL_FUSE.model_dump(), "size": 32, "encoder": 16, "width": 32, "blocks": 1})
    return RegisFuseRun(
        recipe="regis_fuse_debug", data=RefinerDataConfig(path=path), model=model, trainer=_DEBUG
    )


def regis_fuse_pairs(path: Path | None = None) -> RegisFuseRun:
    """A small REGIS-Fuse on generated clips and corrupted real ones at 64x64."""
    return RegisFuseRun(
        recipe="regis_fuse_pairs",
        data=regis_u_pairs(path).data,
        model=_SMALL_FUSE,
        objective=RegisFuseObjectiveConfig(learning_rate=5e-4),
        trainer=_trainer(5000, 8),
    )


def regis_fuse_videos(path: Path | None = None) -> RegisFuseRun:
    """REGIS-Fuse in FuseFormer's sizes on anyone's videos: for a GPU."""
    return RegisFuseRun(
        recipe="regis_fuse_videos",
        data=RefinerDataConfig(path=_needed(path)),
        model=FuseConfig(),
        trainer=_trainer(40000, 16),
    )


RECIPES = (
    regis_u_debug,
    regis_u_pairs,
    regis_u_videos,
    regis_vq_debug,
    regis_vq_pairs,
    regis_vq_videos,
    regis_fuse_debug,
    regis_fuse_pairs,
    regis_fuse_videos,
)
