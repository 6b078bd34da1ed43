"""Codes of a projected clip as a file: safetensors that say which network they belong to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from moviola.core.atomic import write_atomic
from moviola.core.errors import ConfigError, FormatError, WeightsError
from moviola.core.rates import as_rate
from moviola.core.weights import load_tensors
from moviola.data.folders import file_place
from moviola.models.freqmotion import Codes, FreqMotionGenerator

SUFFIX = ".safetensors"
_KIND = "codes of freqmotion"


@dataclass(frozen=True, eq=False)
class SavedCodes:
    """The codes of one video, and the instants that it showed.

    Attributes:
        codes: of one video.
        frames: T.
        fps: frames a second; second 0 is t = -1.
    """

    codes: Codes
    frames: int
    fps: Fraction


def check_codes(path: str | Path) -> Path:
    """Return `path` where codes may be written, before the work is done.

    Raises:
        FormatError: it does not end in ".safetensors". OutputError: its folder does not exist, or it is one itself.
    """
    path = Path(path)
    if path.suffix.lower() != SUFFIX:
        raise FormatError(f"codes are written as {SUFFIX}; {path} does not end in that")
    return file_place(path)


def save_codes(path: str | Path, model: FreqMotionGenerator, saved: SavedCodes) -> None:
    """Write codes, whole or not at all.

    Args:
        path: ends in ".safetensors".
        model: the network that they belong to.
        saved: what is written.

    Raises:
        FormatError, OutputError: see `check_codes`; or the disk is full.
    """
    from safetensors.torch import save

    tensors = {k: v.detach().float().cpu().contiguous() for k, v in _flat(saved.codes).items()}
    about = {
        "kind": _KIND,
        "network": fingerprint(model),
        "frames": str(saved.frames),
        "fps": str(saved.fps),
    }
    write_atomic(check_codes(path), save(tensors, metadata=about))


def load_codes(path: str | Path, model: FreqMotionGenerator) -> SavedCodes:
    """Read codes that `save_codes` wrote, onto the model's device.

    Args:
        path: the file.
        model: the network that is to draw them.

    Raises:
        WeightsError: missing or damaged, no codes, or codes of another network.
    """
    if not Path(path).is_file():
        raise WeightsError(f"no codes at {path}; moviola edit project --save writes them")
    tensors, about = load_tensors(path), _metadata(path)
    if about.get("kind") != _KIND:
        raise WeightsError(f"{path} holds no codes; moviola edit project --save writes them")
    if about.get("network") != fingerprint(model):
        raise WeightsError(f"{path} holds codes of another model; project the clip with this one")
    expected = {k: tuple(v.shape) for k, v in _flat(model.draw(0, [0])).items()}
    if {k: tuple(v.shape) for k, v in tensors.items()} != expected:
        raise WeightsError(f"{path} is damaged: its tensors are not those of codes")
    if not all(bool(v.isfinite().all()) for v in tensors.values()):
        raise WeightsError(f"{path} is damaged: it holds numbers that are not finite")
    frames, fps = _numbers(path, about)
    device = model.synthesis.constant.device
    scales = [tensors[f"scales.{k}"].to(device) for k in range(len(model.banks))]
    noise = [tensors[f"noise.{k}"].to(device) for k in range(len(model.synthesis.noise_sides))]
    return SavedCodes(Codes(tensors["content"].to(device), tuple(scales), tuple(noise)), frames, fps)


def fingerprint(model: FreqMotionGenerator) -> str:
    """Return the SHA-256 of a network's weights by name, wherever its folder is."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _flat(codes: Codes) -> dict[str, Tensor]:
    """Return the tensors of codes by name."""
    parts = {"content": codes.content}
    parts |= {f"scales.{k}": scale for k, scale in enumerate(codes.scales)}
    return parts | {f"noise.{k}": noise for k, noise in enumerate(codes.noise)}


def _metadata(path: str | Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        return file.metadata() or {}


def _numbers(path: str | Path, about: dict[str, str]) -> tuple[int, Fraction]:
    try:
        return max(int(about["frames"]), 1), as_rate(about["fps"])
    except (KeyError, ValueError, ConfigError):
        raise WeightsError(f"{path} is damaged: it does not say how many frames at which rate") from None
