"""Training runs of INR-V, a space of videos."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from moviola.core.config import Config
from moviola.core.errors import ConfigError, InputError
from moviola.core.seeds import seeded
from moviola.core.weights import start_from
from moviola.data.loader import Samples
from moviola.data.sources import open_source, source_exists
from moviola.data.toys import sinusoid
from moviola.data.whole_clips import ClipTable, RandomNumbers, SinusoidTable, WholeClips
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.models.inrv.config import POINTWISE
from moviola.recipes.perceptual import PerceptualConfig
from moviola.training.frame_embeddings import embed_clips
from moviola.training.fvd import BEST, read_best
from moviola.training.loop import Objective, TrainerConfig
from moviola.training.objectives.inrv import MODEL, InrvObjective, InrvObjectiveConfig, Stage
from moviola.training.schedule import Schedule


class TableConfig(Config):
    """Which clips to train on.

    Attributes:
        path: videos of any layout, or a list of paths, one a line; None for the toy `sinusoid`.
        stride: take every `stride`-th frame.
        loop: begin again where a file is too short, for animations that repeat; else such files are left out.
        interval: frames between the starts of successive clips of one file, so that a long one gives many; 0 for one
            clip a file, its first frames.
        limit: take the first so many clips; None for all.
        hold_out: leave out the last of every so many clips, to measure on, and clips that share frames with those; 0
            for none.
        leave_out: patterns of names ("*" for anything) of files that are not trained on.
        embedder: what embeds the frames that a video is also told by ("VideoCLIP"): a folder or a hub name of a CLIP
            model, or "efficientnet-lite0"; empty for none. `model.condition` is the D of its embeddings.
        count: clips of the toy.
        toy: settings of the toy; its size and frames are the model's.
    """

    path: Path | None = None
    stride: int = Field(default=1, ge=1)
    loop: bool = False
    interval: int = Field(default=0, ge=0)
    limit: int | None = Field(default=None, ge=1)
    hold_out: int = Field(default=0, ge=0)
    leave_out: tuple[str, ...] = ()
    embedder: str = ""
    count: int = Field(default=16, ge=1)
    toy: sinusoid.Config = sinusoid.Config()

    def open(self, height: int, width: int, frames: int, *, held: bool = False) -> ClipTable:
        """Open the clips at H, W and T, or with `held` the ones held out.

        Raises:
            ConfigError: no data at the path, or settings that do not fit together. InputError: no clip has enough
                frames, or none is left.
        """
        if self.path is None:
            if height != width:
                raise ConfigError("the clips of the toy are square; set model.height and model.width alike")
            return SinusoidTable(self.count, self.toy.model_copy(update={"size": height, "frames": frames}))
        if not source_exists(self.path):
            raise ConfigError(f"no data at {self.path}; give --data an existing folder or list")
        source = open_source(self.path)
        if self.leave_out:
            left_out = [any(fnmatch(name, pattern) for pattern in self.leave_out) for name in source.names]
            source = source.subset([k for k, out in enumerate(left_out) if out == held])
            if not len(source):
                part = "matches no file" if held else "leaves no file to train on"
                raise InputError(f"data.leave_out={list(self.leave_out)} {part} of {self.path}")
        return WholeClips(
            source, height, width, frames, self.stride, loop=self.loop, interval=self.interval, limit=self.limit,
            hold_out=self.hold_out, held=held,
        )  # fmt: skip


class InrvRun(Config):
    """A run that trains `InrvModel`.

    Attributes:
        recipe: which recipe made it.
        part: name of the run's folder and of the network that becomes the model.
        data, model, objective, trainer: its parts; the model's captions and fps are those of the data.
        perceptual: network of the perceptual loss.
        prior_steps, encoder_steps: steps of the prior and of the encoder alone, after the rest.
        keep: which weights become the model: the "last", or those of the lowest FVD ("best"; `objective.fvd_every`).
        start: folder of a trained model to start from; what it lacks starts fresh.
    """

    recipe: str
    part: Literal["model"] = MODEL
    data: TableConfig = TableConfig()
    model: InrvConfig
    objective: InrvObjectiveConfig = InrvObjectiveConfig()
    trainer: TrainerConfig
    perceptual: PerceptualConfig = PerceptualConfig()
    prior_steps: int = Field(default=4000, ge=0)
    encoder_steps: int = Field(default=3000, ge=0)
    keep: Literal["last", "best"] = "last"
    start: Path | None = None

    def build(self) -> tuple[Objective, Samples]:
        """Make the network, seeded, and the samples.

        Raises:
            ConfigError: settings that do not fit together. InputError: no clips. WeightsError: a frozen network is
                missing.
        """
        self._check()
        g = self.model
        lpips = self.perceptual.load(g.height, g.width) if self.objective.lpips else None
        clips = self.data.open(g.height, g.width, g.frames)
        embeddings = embed_clips(clips, self.data.embedder) if self.data.embedder else None
        size = 0 if embeddings is None else embeddings.shape[-1]
        if g.condition not in (0, size):
            raise ConfigError(
                f"model.condition is {g.condition}; the embeddings of data.embedder have {size} values"
            )
        values = {"captions": clips.captions, "fps": clips.fps, "condition": size}
        with seeded(self.trainer.seed, "weights"):
            model = InrvModel(g.model_copy(update=values))
        if self.start is not None:
            start_from(model, self.start)
        self._objective = InrvObjective(model, clips, self.objective, lpips, embeddings)
        return self._objective, RandomNumbers()

    def _check(self) -> None:
        c, g = self.objective, self.model
        if c.clip_frames > g.frames:
            raise ConfigError(
                f"objective.clip_frames {c.clip_frames} is more than the model's {g.frames} frames"
            )
        if c.points and g.decoder not in POINTWISE:
            raise ConfigError(f"the decoder {g.decoder!r} draws whole frames; set objective.points to 0")
        if c.points and c.lpips:
            raise ConfigError("objective.lpips compares whole frames; set objective.points to 0, or it to 0")
        if g.condition and not self.data.embedder:
            raise ConfigError(
                f"model.condition {g.condition} needs frame embeddings; "
                "set data.embedder to a CLIP model or efficientnet-lite0"
            )
        if c.encoder_share and not g.encoder:
            raise ConfigError("objective.encoder_share needs an encoder; set model.encoder, or it to 0")
        if self.keep == "best" and not c.fvd_every:
            raise ConfigError("keep=best needs FVD while training; set objective.fvd_every")

    def manifest(self) -> None:
        """The model is a model folder by itself."""
        return

    def finished(self, module: Any, output: Path) -> Any:
        """Write the codes into the model, the last one or that of the lowest FVD, and fit its prior."""
        folder = output / "runs" / self.part
        if self.keep == "best" and read_best(folder) is not None:
            module = InrvModel.from_pretrained(folder / BEST).requires_grad_(False).to(module.codes.device)
        return self._objective.finish(
            module,
            self.prior_steps,
            self.trainer.seed,
            self.encoder_steps,
            bf16=self.trainer.precision == "bf16",
        )


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
        encoder_steps=50,
    )  # fmt: skip


def inrv_smileys(path: Path | None = None) -> InrvRun:
    """Animated faces at 64x64, nine of them held out: with an encoder and a prior; about an hour of one CPU core."""
    return InrvRun(
        recipe="inrv_smileys",
        data=_needed(path, stride=2, loop=True, hold_out=9),
        model=_space(frames=36),
        objective=InrvObjectiveConfig(
            learning_rate=2e-3, latent_rate=1e-2, clip_frames=4, points=1024, moments="all", encoder_share=0.125
        ),
        trainer=_trainer(18_000),
    )  # fmt: skip


def inrv_paper(path: Path | None = None) -> InrvRun:
    """The paper's model and loss: 25 frames of 100x100, weights from a hypernetwork; for GPUs.

    The lengths of the stages are ours. Batch 1 a process with torchrun, as the authors ran it.
    `--set data.embedder=openai/clip-vit-base-patch32` tells each video's CLIP embeddings, too.
    """
    data = _needed(path)
    many = len(open_source(data.path or "")) > 2000
    return InrvRun(
        recipe="inrv_paper",
        data=data,
        model=InrvConfig(
            frames=25, height=100, width=100, latent=128 if many else 64, decoder="hyper", octaves=10, nyquist=False,
            grid="corners",
        ),
        objective=InrvObjectiveConfig(
            lpips=0.7,
            stages=tuple(
                Stage(videos=10**k, steps=steps) for k, steps in zip(range(1, 5), _STAGES, strict=True)
            ),
        ),
        trainer=TrainerConfig(steps=500_000, batch=1, clip=0, ema=0, save_every=5000, sample_every=5000),
        prior_steps=0,
        encoder_steps=0,
    )  # fmt: skip


def inrv_videos(path: Path | None = None) -> InrvRun:
    """Anyone's videos: 16 frames of 64x64, with an encoder and a prior; hours of a CPU core."""
    return InrvRun(
        recipe="inrv_videos",
        data=_needed(path),
        model=_space(frames=16),
        objective=InrvObjectiveConfig(
            learning_rate=2e-3, latent_rate=1e-2, clip_frames=4, points=1024, encoder_share=0.125
        ),
        trainer=_trainer(30_000),
    )


def inrv_actions(path: Path | None = None) -> InrvRun:
    """Six people doing four actions (the Weizmann strips), one more held out: half an hour of one CPU core."""
    return InrvRun(
        recipe="inrv_actions",
        data=_needed(path, stride=2, leave_out=("*/004.png", "*/005.png")),
        model=_space(frames=25),
        objective=InrvObjectiveConfig(
            learning_rate=2e-3, latent_rate=1e-2, clip_frames=4, points=1024, moments="all", encoder_share=0.125
        ),
        trainer=_trainer(9_000),
        encoder_steps=1500,
    )  # fmt: skip


_STAGES = (2_000, 8_000, 40_000, 150_000)
"""Steps with 10, 100, 1,000 and 10,000 clips; the paper has the numbers of clips, not of steps."""


def _space(frames: int) -> InrvConfig:
    """Return a hypernetwork at 64x64 that one CPU core can train."""
    return InrvConfig(
        frames=frames, height=64, width=64, latent=128, init_std=0.1, hidden=96, layers=4, octaves=6,
        head_hidden=64, head_layers=1, encoder=(24, 48, 96, 128), prior=256,
    )  # fmt: skip


def _trainer(steps: int) -> TrainerConfig:
    """Return the settings of a run on one CPU core."""
    return TrainerConfig(
        steps=steps, batch=16, ema=0.999, precision="bf16", threads=1,
        schedule=Schedule(kind="cosine", warmup=200, floor=0.02), log_every=100, sample_every=5000, save_every=1000,
    )  # fmt: skip


def _needed(path: Path | None, **values: Any) -> TableConfig:
    """Return the data of a recipe that needs videos.

    Raises:
        ConfigError: no path, or nothing there.
    """
    if path is None:
        raise ConfigError("this recipe trains on videos; give --data PATH")
    if not source_exists(path):
        raise ConfigError(f"no data at {path}; give --data an existing folder or list")
    return TableConfig(path=path, **values)


RECIPES = (inrv_debug, inrv_smileys, inrv_actions, inrv_videos, inrv_paper)
