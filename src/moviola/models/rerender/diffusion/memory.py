"""What the painter remembers of frames that it has painted: the anchor and the previous one, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from moviola.core.atomic import write_atomic
from moviola.core.errors import WeightsError
from moviola.models.rerender.diffusion.attention import Features

VERSION = "1"


@dataclass(eq=False)
class Record:
    """One painted frame.

    Attributes:
        index: its place in the sequence.
        painted: as it was decoded, float32 (1, 3, h, w) about in [-1, 1], at the size that is painted.
        latent: its final latent, float32 (1, C, h', w').
        clean: what it predicted to become, x0, at each step (after the constraints), float32.
        features: what cross-frame attention looks at.
    """

    index: int
    painted: Tensor
    latent: Tensor
    clean: dict[int, Tensor] = field(default_factory=dict)
    features: Features = field(default_factory=dict)

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """Return everything as named tensors, on the CPU."""
        found = {"painted": self.painted, "latent": self.latent, "index": torch.tensor([self.index])}
        found |= {f"clean/{step}": value for step, value in self.clean.items()}
        found |= {f"features/{step}/{layer}": value for (step, layer), value in self.features.items()}
        return {f"{prefix}/{name}": value.detach().cpu().contiguous() for name, value in found.items()}

    @classmethod
    def of(cls, tensors: dict[str, Tensor], prefix: str) -> Record:
        """Return what `tensors` wrote.

        Raises:
            KeyError: a part is missing.
        """
        inside = {
            name.removeprefix(f"{prefix}/"): value
            for name, value in tensors.items()
            if name.startswith(f"{prefix}/")
        }
        record = cls(int(inside["index"]), inside["painted"], inside["latent"])
        for name, value in inside.items():
            kind, _, rest = name.partition("/")
            if kind == "clean":
                record.clean[int(rest)] = value
            elif kind == "features":
                step, _, layer = rest.partition("/")
                record.features[int(step), layer] = value
        return record


@dataclass(eq=False)
class Memory:
    """What the next frame is painted with.

    Attributes:
        anchor: the frame whose style, shapes and colours the others take; None before the first.
        previous: the frame painted last; the anchor itself right after it.
        done: number of frames painted.
        anchors: places of all anchors so far.
    """

    anchor: Record | None = None
    previous: Record | None = None
    done: int = 0
    anchors: list[int] = field(default_factory=list)

    @property
    def sources(self) -> tuple[Record, ...]:
        """The frames that are looked at, anchor first; one where both are the same."""
        if self.anchor is None:
            return ()
        if self.previous is None or self.previous is self.anchor:
            return (self.anchor,)
        return (self.anchor, self.previous)

    def take(self, record: Record, anchor: bool) -> None:
        """Note a newly painted frame; `anchor` makes it the anchor."""
        self.previous = record
        self.done = record.index + 1
        if anchor or self.anchor is None:
            self.anchor = record
            self.anchors.append(record.index)

    def save(self, path: str | Path) -> None:
        """Write everything to a safetensors file, from which a stopped run goes on to the same pictures.

        Raises:
            OSError: it cannot be written.
        """
        from safetensors.torch import save

        tensors = {
            "anchors": torch.tensor(self.anchors, dtype=torch.int64),
            "done": torch.tensor([self.done]),
        }
        for name, record in zip(("anchor", "previous"), self.sources, strict=False):
            tensors |= record.tensors(name)
        write_atomic(Path(path), save(tensors, metadata={"memory": VERSION}))

    @classmethod
    def load(cls, path: str | Path) -> Memory:
        """Read what `save` wrote.

        Raises:
            WeightsError: there is no such file, or it is not one that `save` wrote.
        """
        from safetensors.torch import load_file

        try:
            tensors = load_file(str(path))
            memory = cls(done=int(tensors["done"]), anchors=tensors["anchors"].tolist())
            if memory.anchors:
                memory.anchor = memory.previous = Record.of(tensors, "anchor")
            if "previous/index" in tensors:
                memory.previous = Record.of(tensors, "previous")
        except FileNotFoundError:
            raise WeightsError(f"no painter's memory at {path}") from None
        except Exception as error:  # the library has an exception of its own, not named in its interface
            raise WeightsError(
                f"{path} is no painter's memory: {' '.join(str(error).split())[:120]}"
            ) from None
        return memory
