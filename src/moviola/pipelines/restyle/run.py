"""Restyling a video: key frames, a painter, propagation; each stage kept in a work folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from moviola.core.contents import contents
from moviola.core.errors import ConfigError
from moviola.core.progress import Tick
from moviola.core.times import note_on_rate
from moviola.core.video import Video
from moviola.data import codec
from moviola.data.codec.formats import write_suffix
from moviola.data.codec.info import Info
from moviola.data.folders import file_place, folder_place
from moviola.data.masks import Masks
from moviola.data.pictures import write_png
from moviola.pipelines.keyframes import KeyFrames, keyframes, write_plot
from moviola.pipelines.restyle.by_shot import borrowed, check_shots, parts_by_shot
from moviola.pipelines.restyle.carrying import Job, Part, carry_parts, workers_for
from moviola.pipelines.restyle.footage import PIECE, Footage, JoinedFrames
from moviola.pipelines.restyle.masking import Masking, prepare
from moviola.pipelines.restyle.painting import anchors_of, declare_paint, make_painter, own_paint
from moviola.pipelines.restyle.pictures import check_own, numbered
from moviola.pipelines.restyle.settings import DIFFUSION, KeyConfig, RestyleConfig
from moviola.pipelines.restyle.work import Work, load_picture, stamp
from moviola.propagation.flow import estimator


@dataclass(frozen=True)
class Restyled:
    """A video that was restyled and written.

    Attributes:
        output: where it is. frames, fps, width, height: of it.
        keys: the frames that were painted. anchors: those of them that the others followed.
        painted, carried: key frames painted and parts carried in this run; what was there already is not counted.
        notes: what else is to be known, a sentence each.
    """

    output: str
    frames: int
    fps: float
    width: int
    height: int
    keys: tuple[int, ...]
    anchors: tuple[int, ...]
    painted: int
    carried: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How a restyling is run; nothing here changes the result.

    Attributes:
        work: folder to work in; None for one beside the output, removed in the end.
        resume: go on with the work that is there.
        keys: folder with the user's painted key frames, instead of a painter.
        workers: parts that are carried at a time, each in its own process; None takes two where that is faster. Several
            need a program whose main module can be imported.
        device: for networks.
        tick: called with the number of frames that have been carried.
    """

    work: Path | None = None
    resume: bool = False
    keys: Path | None = None
    workers: int | None = 1
    device: str = "cpu"
    tick: Tick | None = None


class Restyling:
    """One restyling, stage by stage.

    Args:
        source: video file or folder of frames. config: what it shall look like. work: its folder. plan: how.
    """

    def __init__(self, source: Path, config: RestyleConfig, work: Work, plan: Plan) -> None:
        self.source, self.config, self.work, self.plan = source, config, work, plan
        self.info: Info = codec.probe(source)
        rows, columns = config.cropped(self.info.height, self.info.width)
        self.footage = Footage(source, rows, columns)
        self.size = (rows.stop - rows.start, columns.stop - columns.start)
        self.notes: list[str] = config.check(plan.keys is not None)
        self.clock = codec.read_clock(source)
        if self.clock.times is not None:
            self.notes.append(note_on_rate(source.name, self.info.frames))
        self.painted = self.carried = 0
        self.masking: Masking | None = None

    def mask(self, first_only: bool = False) -> None:
        """Read the masks, and carry them to the frames that have none; with `first_only` as far as the first needs."""
        self.masking, notes = prepare(
            self.source, self.info, self.config, self.work, self.plan.device, self._cuts, first_only
        )
        self.notes += notes

    @property
    def masks(self) -> Masks | None:
        """The masks of whole frames, within which change counts for the choice of key frames."""
        return None if self.masking is None else self.masking.masks.cropped(slice(None), slice(None))

    def _cuts(self) -> list[int]:
        """Look for cuts, or take those found before."""
        shots = self.config.keys.shots
        if not self.work.done("cuts", mark := stamp(shots)):
            self.work.manifest["shots"] = choose_keys(self.source, KeyConfig(indices=(0,), shots=shots)).cuts
            self.work.finish("cuts", mark)
        return self.work.manifest["shots"]

    def select(self) -> tuple[list[int], list[int]]:
        """Choose the key frames, or take those chosen before; return them and the cuts."""
        own = None if self.plan.keys is None else numbered(self.plan.keys)
        keys = self._with_vae(self.config.keys)
        vae = self.work.weights(keys.vae) if keys.method == "latent" and keys.vae is not None else None
        seen = [] if self.masks is None else [self.masks.mark]
        mark = stamp(keys.model_dump(mode="json"), None if own is None else list(own), vae, *seen)
        if not self.work.done("select", mark):
            keys, cuts = self._chosen(own)
            self.work.manifest.update(keys=keys, cuts=cuts)
            self.work.finish("select", mark)
        keys, cuts = self.work.manifest["keys"], self.work.manifest["cuts"]
        if own is not None:
            check_own(own, keys, self.info.frames, self.size)
        return keys, cuts

    def _chosen(self, own: dict[int, Path] | None) -> tuple[list[int], list[int]]:
        config = self.config.keys
        if own is None or config.indices is not None:
            found = choose_keys(self.source, self._with_vae(config), self.plan.device, self.masks)
            if self.plan.work is not None:
                write_plot(found, self.source, self.work.folder / "keys.png")
            return found.indices, found.cuts
        count, keys = self.info.frames, list(own)
        check_own(own, None, count, self.size)
        cuts = choose_keys(self.source, KeyConfig(indices=(0,), shots=config.shots)).cuts
        if config.borrow:
            return keys, borrowed(keys, count, cuts)
        check_shots(keys, count, cuts, self.plan.keys)
        return keys, cuts

    def _with_vae(self, config: KeyConfig) -> KeyConfig:
        """Return settings that name an autoencoder where the painter has one."""
        if config.method != "latent" or config.vae is not None or self.config.painter != DIFFUSION:
            return config
        return config.model_copy(update={"vae": self.config.diffusion.model})

    def paint(self, keys: Sequence[int], cuts: Sequence[int], only: int | None = None) -> list[int]:
        """Paint the key frames that are not painted yet; return the anchors."""
        anchors = anchors_of(keys, cuts, self.config.diffusion.anchor.mode)
        if self.plan.keys is not None:
            self._take_own()
            return anchors
        wanted = list(keys[:only]) if only else list(keys)
        if self._missing(self._paint_mark(wanted, anchors), wanted):
            painter = make_painter(self.config, self.plan.device)
            mark = self._paint_mark(wanted, anchors)  # what is fetched only now has its commit now
            missing = self._missing(mark, wanted)
            memory = self.work.memory(mark)
            mask = None if self.masking is None else self.masking.at
            for key, frame in painter.paint(wanted, self.footage, anchors, missing, memory, mask):
                write_png(self.work.picture("keys", key), self.footage.at(key))
                write_png(self.work.picture("painted", key), frame)
                self.work.finish("paint", mark, key)
                self.painted += 1
            self.notes += painter.notes
        return anchors

    def _paint_mark(self, keys: Sequence[int], anchors: Sequence[int]) -> str:
        config = self.config
        names = {"painter", "prompt", "strength", "crop"}
        if config.painter == DIFFUSION:
            from moviola.models.rerender.diffusion.sources import sources

            return stamp(
                config.model_dump(mode="json", include={*names, "seed", "diffusion", "flow", "pictures"}),
                [self.work.weights(name) for name in sources(config.diffusion)],
                {kind: self._pictures(folder, keys) for kind, folder in config.pictures.items()},
                self._raft,
                keys,
                anchors,
                *self._seen(keys),
            )
        return stamp(config.model_dump(mode="json", include=names), self._brush)

    def _seen(self, keys: Sequence[int]) -> list[object]:
        """What tells the masks of key frames apart; nothing where there are none."""
        return [] if self.masking is None else [stamp(*(self.masking.at(key) for key in keys))]

    @property
    def _brush(self) -> dict[str, object] | None:
        """The settings of the filter that paints."""
        brush = self.config.brush()
        return None if brush is None else brush.model_dump(mode="json")

    @staticmethod
    def _pictures(folder: Path, keys: Sequence[int]) -> list[str]:
        """What tells the pictures for a ControlNet apart; a folder that is not there is refused where it is read."""
        found = numbered(folder, "pictures") if folder.is_dir() else {}
        return [contents(found[key]) for key in keys if key in found]

    @cached_property
    def _raft(self) -> str | None:
        """What tells the weights of the flow apart."""
        config = self.config
        return contents(config.raft) if config.flow == "raft" and config.raft is not None else None

    def _missing(self, mark: str, keys: Sequence[int]) -> list[int]:
        """Return the places of the key frames that were not painted with this stamp."""
        return [place for place, key in enumerate(keys) if not self._is_painted(mark, key)]

    def _is_painted(self, mark: str, key: int) -> bool:
        return self.work.done("paint", mark, key) and self.work.picture("painted", key).exists()

    def _take_own(self) -> None:
        """Copy the user's key frames into the work folder."""
        assert self.plan.keys is not None
        self.work.forget("paint")
        for key, path in numbered(self.plan.keys).items():
            write_png(self.work.picture("painted", key), load_picture(path))

    def carry(self, keys: Sequence[int], cuts: Sequence[int]) -> list[Part]:
        """Carry the paint to every part whose paint or settings have changed."""
        parts = parts_by_shot(keys, self.info.frames, cuts)
        jobs = [self._job(part) for part in parts]
        marks = {job.part.start: self._mark(job) for job in jobs}
        todo = [job for job in jobs if not self._is_carried(job, marks[job.part.start])]
        if self.plan.tick is not None:
            self.plan.tick(sum(job.part.stop - job.part.start for job in jobs if job not in todo))
        workers = workers_for(todo, self.size) if self.plan.workers is None else self.plan.workers
        for job, frames in carry_parts(todo, workers):
            self.work.finish("carry", marks[job.part.start], job.part.start)
            self.carried += 1
            if self.plan.tick is not None:
                self.plan.tick(frames)
        return parts

    def _job(self, part: Part) -> Job:
        painted = tuple(
            None if k is None else self.work.picture("painted", k) for k in (part.first, part.last)
        )
        return Job(
            part, self.footage, (painted[0], painted[1]), self.config,
            self.config.carrying(self.plan.keys is not None), self.work.part(part.start), self.plan.device,
            None if self.plan.keys is not None else own_paint(self.config),
        )  # fmt: skip

    def _mark(self, job: Job) -> str:
        paint = [contents(path) for path in job.painted if path is not None]
        how = self.config.model_dump(mode="json", include={"flow", "crop"})
        return stamp(
            how,
            self._raft,
            job.how.model_dump(mode="json"),
            None if job.own is None else [self.config.painter, self.config.strength, self._brush],
            [job.part.start, job.part.stop, job.part.first, job.part.last],
            paint,
        )

    def _is_carried(self, job: Job, mark: str) -> bool:
        return self.work.done("carry", mark, job.part.start) and job.output.exists()

    def pieces(self, parts: Sequence[Part]) -> Iterator[Video]:
        """Return the restyled video, with the sound of the input, piece by piece; outside the mask it is the input."""
        painted = JoinedFrames(self.work.part(part.start) for part in parts)
        shares = iter(()) if self.masking is None else self.masking.shares()
        for piece in codec.stream(self.source, PIECE, audio=True):
            frames = painted.take(len(piece))
            if self.masking is not None:
                frames = self.masking.put(self.footage.cropped(piece.frames), frames, shares)
            yield piece.with_frames(frames)


def choose_keys(
    source: Path | Video, config: KeyConfig, device: str = "cpu", masks: Masks | None = None
) -> KeyFrames:
    """Choose key frames as settings say, by the change within masks; raises as `moviola.keyframes` does."""
    method = config.method if config.indices is None else "uniform"  # what is chosen already needs no measure
    options = {"device": device} if method in ("deep", "latent") else {}
    return keyframes(
        source, method, config.interval, config.count, alpha=config.alpha, beta=config.beta,
        min_gap=config.min_gap, force_last=config.force_last, indices=config.indices, cuts=config.shots,
        options={**options, "vae": config.vae} if method == "latent" else options, mask=masks,
    )  # fmt: skip


def restyle_file(
    source: str | Path,
    output: str | Path,
    config: RestyleConfig,
    plan: Plan | None = None,
    *,
    lossless: bool = False,
) -> Restyled:
    """Restyle a video file; memory does not grow with its length.

    Source: "Photorealistic Video Generation" (a modified Rerender-A-Video): key frames, painting, propagation.

    Args:
        source: a video file or a folder of frames.
        output: where to write; its extension decides the format. As many frames, as large (but for `crop`) and at the
            same times as in the input, with its sound.
        config: what it shall look like. plan: how to run it.
        lossless: write every value as it is, where the format can.

    Raises:
        InputError: and what is below it, with one line; the work folder is left as it is then.
    """
    target = os.fspath(output)  # with the slash of a folder of frames
    source, output, plan = Path(source), Path(output), plan or Plan()
    (file_place if write_suffix(target) else folder_place)(output)
    info, clock = codec.probe(source), codec.read_clock(source)
    # before the work: what the format cannot hold is refused
    writer = codec.Writer(target, clock.fps, clock.times, info.pixel_aspect, lossless=lossless)
    folder = plan.work or output.with_name(f"{output.stem}.work")
    config.check(plan.keys is not None)
    if config.flow == "raft":
        estimator(config.flow, config.raft, plan.device)  # whether its weights can be used
    work = Work.open(folder, source, config.model_dump(mode="json"), plan.resume)
    try:
        task = Restyling(source, config, work, plan)
        task.mask()
        keys, cuts = task.select()
        anchors = task.paint(keys, cuts)
        parts = task.carry(keys, cuts)
        declare_paint(config, plan.keys is not None)
        with writer:
            for piece in task.pieces(parts):
                writer.write(piece)
        work.close(remove=plan.work is None)
    finally:
        work.close(remove=work.is_new)
    height, width = task.size
    return Restyled(
        str(output), info.frames, float(info.fps), width, height, tuple(keys), tuple(anchors),
        task.painted, task.carried, tuple(task.notes),
    )  # fmt: skip


def paint_first(
    source: str | Path, output: str | Path, config: RestyleConfig, plan: Plan | None = None
) -> Restyled:
    """Paint the first key frame alone and write it as a picture, to judge the look; arguments as `restyle_file`."""
    source, output, plan = Path(source), Path(output), plan or Plan()
    if output.suffix.lower() != ".png":
        raise ConfigError(f"--first-only writes one picture: name a .png, not {output.name}")
    file_place(output)
    codec.probe(source)
    with (
        tempfile.TemporaryDirectory(prefix="moviola-restyle-") as folder,
        closing(Work.open(Path(folder), source, {}, False)) as work,
    ):
        task = Restyling(source, config, work, plan)
        task.mask(first_only=True)
        task.paint([0], [], only=1)
        frame = load_picture(work.picture("painted", 0))
        declare_paint(config, plan.keys is not None)
        if task.masking is not None:
            plain = task.footage.at(0)
            frame = task.masking.put(plain[None], frame[None], iter([task.masking.at(0)]))[0]
    write_png(output, frame)
    height, width = task.size
    return Restyled(
        str(output), 1, float(task.info.fps), width, height, (0,), (0,), task.painted, 0, tuple(task.notes)
    )
