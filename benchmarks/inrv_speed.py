"""Training the hypernetwork of INR-V as we run it, against its plain formulation, at one width on one thread.

The peer is the formulation of the paper's public code: an `nn.Sequential` for each weight and each bias tensor, called
one after the other, once for each video; the video's coordinates encoded and put through its network by `F.linear`;
all in float32; Adam as PyTorch makes it. Ours is `InrvModel`: all hidden layers of the heads in one batched product,
all videos at once, many points in pieces that the caches hold, Adam in one pass, and bfloat16 for what autocast
takes. Between them stand forms that have only some of it, so that one sees what each part gives. All begin with the
same weights and see the same coordinates; without bfloat16 their losses and gradients are compared. The loss is L1.

    python benchmarks/inrv_speed.py [--rounds 3] [--only 256x16 256x1 64x16 64x1]
    python benchmarks/inrv_speed.py --to 25 [--hidden 64] [--clips 8] [--data FOLDER]

The first prints steps and coordinates a second at equal coordinates a step; the setting 256x16 is the paper's network
(63 -> 256 x 4 -> 3, heads 128 -> 256 x 4 -> values, 100x100 clips of 25 frames), 16 videos of 2,048 points a step,
256x1 one whole clip a step; 64 a network and heads of 64. The second trains both from the same weights to a train PSNR:
the plain form one whole clip a step (as the public code) and, as well, at our points; ours 8 clips of 2,048 points.
Times are CPU seconds of the process; the forms take turns.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moviola.data.toys import sinusoid
from moviola.data.whole_clips import ClipTable, SinusoidTable, WholeClips
from moviola.models.inrv import InrvConfig, InrvModel
from moviola.models.inrv.coordinates import mesh
from moviola.training.row_adam import RowAdam

RATES = (1e-3, 1e-2)  # of networks, of the codebook
Batch = tuple[Tensor, Tensor, Tensor]  # rows (B,), coordinates (B, N, 3), colours (B, N, 3)


class PlainHyper(nn.Module):
    """A sequence of layers for each tensor, run one after the other, for one video at a time."""

    def __init__(self, model: InrvModel) -> None:
        super().__init__()
        self.encoding = model.decoder.encoding
        hyper: Any = model.decoder.hyper
        self.codebook = nn.Parameter(model.codebook.detach().clone())
        self.shapes = [shape for a, b in hyper.shapes for shape in ((b, a), (b,))]
        batched = [hyper.heads.first, *hyper.heads.hidden]
        self.heads = nn.ModuleList()
        for number, last in enumerate(hyper.heads.last):
            steps: list[nn.Module] = []
            for layer in batched:
                linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[2])
                linear.load_state_dict(
                    {"weight": layer.weight[number].T.clone(), "bias": layer.bias[number, 0].clone()}
                )
                steps += [linear, nn.ReLU()]
            self.heads.append(nn.Sequential(*steps, copy.deepcopy(last)))

    def network(self, tensors: list[Tensor], coordinates: Tensor) -> Tensor:
        """Return the colours of one video at (N, 3)."""
        x = self.encoding(coordinates)
        for k in range(0, len(tensors), 2):
            x = F.linear(x, tensors[k], tensors[k + 1])
            x = F.relu(x) if k + 2 < len(tensors) else x
        return x

    def forward(self, rows: Tensor, coordinates: Tensor) -> Tensor:
        """Return the colours of videos at (B, N, 3)."""
        out = []
        for row, points in zip(rows.tolist(), coordinates, strict=True):
            code = self.codebook[row]
            tensors = [head(code).view(s) for head, s in zip(self.heads, self.shapes, strict=True)]
            out.append(self.network(tensors, points))
        return torch.stack(out)


class PlainAtOnce(PlainHyper):
    """The same, but each head is given the codes of all videos at once."""

    def forward(self, rows: Tensor, coordinates: Tensor) -> Tensor:
        """See `PlainHyper.forward`."""
        codes = self.codebook[rows]
        made = [head(codes).unflatten(1, s).unbind() for head, s in zip(self.heads, self.shapes, strict=True)]
        return torch.stack(
            [self.network(list(t), x) for t, x in zip(zip(*made, strict=True), coordinates, strict=True)]
        )


class Ours(nn.Module):
    """`InrvModel`, as the objective runs it."""

    def __init__(self, model: InrvModel) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        self.codebook = self.model.codebook

    def forward(self, rows: Tensor, coordinates: Tensor) -> Tensor:
        """See `PlainHyper.forward`."""
        decoder = self.model.decoder
        return decoder.points(decoder.prepare(self.codebook[rows]), coordinates)


class Form:
    """A way of doing a step: a network, its optimiser, its precision."""

    def __init__(self, network: nn.Module, bf16: bool = False, fused: bool | None = None) -> None:
        self.network, self.bf16 = network, bf16
        codebook: nn.Parameter = network.codebook  # type: ignore[assignment]
        rest = [p for p in network.parameters() if p is not codebook]
        groups = [{"params": rest, "lr": RATES[0]}, {"params": [codebook], "lr": RATES[1], "rows": True}]
        self.optimizer = (
            torch.optim.Adam([{k: v for k, v in g.items() if k != "rows"} for g in groups])
            if fused is None
            else RowAdam(groups, fused=fused)
        )

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            drawn = self.network(batch[0], batch[1])
        return (drawn.float() - batch[2]).abs().mean()

    def step(self, batch: Batch) -> float:
        """Do one step; return its loss."""
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())


FORMS: dict[str, Callable[[InrvModel], Form]] = {
    "plain": lambda m: Form(PlainHyper(m)),
    "plain, heads see all videos at once": lambda m: Form(PlainAtOnce(m)),
    "ours, float32, Adam by tensors": lambda m: Form(Ours(m), fused=False),
    "ours, float32": lambda m: Form(Ours(m), fused=True),
    "ours": lambda m: Form(Ours(m), bf16=True, fused=True),
}


def make_model(hidden: int, size: int, frames: int, videos: int, paper: bool) -> InrvModel:
    """Return the network of one setting, seeded."""
    torch.manual_seed(0)
    config = InrvConfig(
        frames=frames, height=size, width=size, captions=("",) * videos, latent=128 if paper else 64,
        hidden=hidden, head_hidden=hidden, nyquist=not paper, init_std=0.1,
    )  # fmt: skip
    return InrvModel(config)


def gradient_gap(model: InrvModel, batch: Batch) -> float:
    """Return the largest difference of the codes' gradients of plain and ours in float32, over the largest one."""
    grads = []
    for name in ("plain", "ours, float32"):
        form = FORMS[name](model)
        form.loss(batch).backward()
        grads.append(form.network.codebook.grad)  # type: ignore[union-attr]
    return float((grads[0] - grads[1]).abs().max() / grads[0].abs().max())


def compare(name: str, rounds: int) -> None:
    """Print steps and coordinates a second of each form in one setting."""
    hidden, videos = (int(part) for part in name.split("x"))
    paper = hidden == 256
    size, frames = (100, 25) if paper else (64, 18)
    points = 2048 if videos > 1 else size * size * frames
    model = make_model(hidden, size, frames, videos, paper)
    batch = (torch.arange(videos), torch.rand(videos, points, 3) * 2 - 1, torch.rand(videos, points, 3))
    count = sum(p.numel() for p in model.decoder.parameters())
    gap = gradient_gap(model, (batch[0], batch[1][:, :512], batch[2][:, :512]))
    print(
        f"{name}: {count / 1e6:.1f} M values, {videos} videos x {points} coordinates a step; gradients differ {gap:.0e}"
    )
    made = [form_name for form_name in FORMS if videos > 1 or "at once" not in form_name]
    forms = {form_name: FORMS[form_name](model) for form_name in made}
    seconds: dict[str, list[float]] = {form_name: [] for form_name in made}
    for turn in range(rounds + 1):
        for form_name, form in forms.items():
            begun = time.process_time()
            form.step(batch)
            if turn:  # the first turn warms up
                seconds[form_name].append(time.process_time() - begun)
    for form_name, values in seconds.items():
        ratios = [b / a for a, b in zip(values, seconds["plain"], strict=True)]
        middle = statistics.median(values)
        print(
            f"  {form_name:36s} {1 / middle:7.3f} steps/s {videos * points / middle / 1e3:8.1f} k coordinates/s; "
            f"ratio {statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


# -- time to a train PSNR ---------------------------------------------------------------------------------


@torch.no_grad()
def psnr(form: Form, points: Tensor, colours: Tensor) -> float:
    """Return the PSNR of all clips at some points, dB; colours lie in [-1, 1]."""
    rows = torch.arange(len(colours))
    drawn = form.network(rows, points.expand(len(colours), -1, -1)).float().clamp(-1, 1)
    return float((10 * (4 / (drawn - colours).square().mean(dim=(1, 2))).log10()).mean())


def drawer(points: Tensor, colours: Tensor, videos: int, count: int) -> Callable[[], Batch]:
    """Return a function that draws `videos` clips with `count` points each, 0 for all of a clip's."""
    random = torch.Generator().manual_seed(0)

    def draw() -> Batch:
        rows = torch.randperm(len(colours), generator=random)[:videos]
        if not count:
            return rows, points.expand(videos, -1, -1), colours[rows]
        index = torch.randint(len(points), (videos, count), generator=random)
        return rows, points[index], colours[rows[:, None], index]

    return draw


def race(table: ClipTable, hidden: int, size: int, wanted: float, limit: float) -> None:
    """Train the forms in turns, the one that has had least time next, until each reaches `wanted` dB."""
    model = make_model(hidden, size, table.frames, len(table), hidden == 256)
    y, x = model.axes()
    points = mesh(model.times(torch.arange(table.frames).float()), y, x)
    clips = torch.stack([torch.from_numpy(table.read(i)) for i in range(len(table))])
    colours = clips.flatten(1, 3).float() / 127.5 - 1
    some = torch.randperm(len(points), generator=torch.Generator().manual_seed(1))[:4096]
    drawers = {
        "plain": drawer(points, colours, 1, 0),
        "ours": drawer(points, colours, min(8, len(table)), 2048),
    }
    sides = {
        "plain, a whole clip a step": (FORMS["plain"](model), drawers["plain"]),
        "plain, our points": (FORMS["plain"](model), drawers["ours"]),
        "ours": (FORMS["ours"](model), drawers["ours"]),
    }
    spent, steps, ends = dict.fromkeys(sides, 0.0), dict.fromkeys(sides, 0), {}
    while open_sides := [s for s in sides if s not in ends and spent[s] < limit]:
        side = min(open_sides, key=lambda s: spent[s])
        form, draw = sides[side]
        begun = time.process_time()
        for _ in range(10):
            form.step(draw())
        spent[side] += time.process_time() - begun
        steps[side] += 10
        value = psnr(form, points[some], colours[:, some])
        if value >= wanted:
            ends[side] = spent[side]
        if value >= wanted or spent[side] >= limit:
            print(f"  {side:28s} {spent[side]:7.1f} s, {steps[side]} steps: {value:.2f} dB", flush=True)
    if "ours" in ends:
        for side in sides:
            at_least = "" if side in ends else "at least "
            print(f"  {side:28s} {at_least}{spent[side] / ends['ours']:.2f} times the time of ours")


def open_table(data: Path | None, clips: int, size: int, frames: int) -> ClipTable:
    """Return the clips of the race: the first of a folder, looped, every fourth frame; or a toy's."""
    if data is None:
        return SinusoidTable(clips, sinusoid.Config(size=size, frames=frames))
    return WholeClips(data, size, size, frames, 4, loop=True, limit=clips)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=["256x16", "256x1", "64x16", "64x1"])
    parser.add_argument("--to", type=float, help="train to so many dB instead")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--frames", type=int, default=18)
    parser.add_argument("--limit", type=float, default=120.0, help="CPU seconds a side at most")
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.to is None:
        for name in given.only:
            compare(name, given.rounds)
        return
    table = open_table(given.data, given.clips, given.size, given.frames)
    print(
        f"{len(table)} clips of {given.frames}x{given.size}x{given.size}, width {given.hidden}, to {given.to} dB"
    )
    race(table, given.hidden, given.size, given.to, given.limit)


if __name__ == "__main__":
    main()
