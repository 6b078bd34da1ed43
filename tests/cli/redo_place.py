"""A folder with the smallest models and clips that every verb can be run on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from moviola.core.seeds import seeded
from moviola.core.video import Video


def make_place(folder: Path) -> Path:
    """Fill a folder with clips, pictures, captions and a model of each family."""
    (folder / "in").mkdir()
    rng = np.random.default_rng(0)
    for number, name in enumerate(("a", "b")):
        Video(_moving(8, 32, number), 8).save(folder / "in" / f"{name}.mkv", lossless=True)
    Video(_moving(8, 16, 2), 8).save(folder / "small.npz")
    Video(_moving(8, 16, 3), 8).save(folder / "other.npz")
    gain = 1 + 0.15 * (-1.0) ** np.arange(12)[:, None, None, None]
    still = np.repeat(rng.integers(40, 200, (8, 8, 3)).repeat(4, 0).repeat(4, 1)[None], 12, 0)
    Video(np.rint(still * gain).astype(np.uint8), 12).save(folder / "flicker.mkv", lossless=True)
    Video(_moving(1, 32, 4), 8).save(folder / "first.png")
    mask = np.zeros((1, 16, 16, 3), np.uint8)
    mask[:, 8:] = 255
    Video(mask, 8).save(folder / "mask.png")
    Video(_moving(1, 32, 5), 8).save(f"{folder / 'keys'}/")
    (folder / "captions.txt").write_text("a person with red hair walks left\na person jumps up\n")
    _refiner(folder / "refiner")
    _bands(folder / "bands")
    _space(folder / "space")
    return folder


def _moving(count: int, side: int, number: int) -> np.ndarray:
    """Return waves that move, uint8 (T, S, S, 3)."""
    y, x = np.mgrid[:side, :side]
    waves = [
        [128 + 100 * np.sin((x + (c + 1) * y + 3 * t + number) / 5) for c in range(3)] for t in range(count)
    ]
    return np.stack(waves).transpose(0, 2, 3, 1).astype(np.uint8)


def _refiner(folder: Path) -> None:
    from moviola.models.regis.unet import UnetConfig, UnetRefiner

    config = UnetConfig(frames=4, size=16, dim=8, multipliers=(1, 2), blocks=1, heads=1, head=8, condition=8)
    with seeded(0, "refiner"):
        network = UnetRefiner(config)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
    network.save_pretrained(folder)


def _bands(folder: Path) -> None:
    from moviola.models.freqmotion import FreqMotionConfig, FreqMotionGenerator

    config = FreqMotionConfig(
        size=16, fps=8, content=4, motion=4, style=8, content_layers=1, features=8,
        ranges=((0.8, 1.0), (1.7, 1.9), (3.4, 3.8)), widths=(4, 4, 4),
    )  # fmt: skip
    with seeded(0, "bands"):
        FreqMotionGenerator(config).save_pretrained(folder)


def _space(folder: Path) -> None:
    from moviola.models.inrv import InrvConfig, InrvModel

    config = InrvConfig(
        frames=8, height=16, width=16, fps=8, latent=8, decoder="low-rank", hidden=16, layers=2, rank=2, head_hidden=16,
        head_layers=2, encoder=(4, 8), prior=16, init_std=1.0, captions=("crying face", "grinning face"),
    )  # fmt: skip
    with seeded(0, "space"):
        network = InrvModel(config)
    with torch.no_grad():
        network.codes.copy_(network.codebook)
    network.save_pretrained(folder)
