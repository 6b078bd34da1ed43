"""`moviola doctor`: what this machine has, what is missing, and what to do about it."""

from __future__ import annotations

import dataclasses
import importlib
import os
import platform
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from moviola.cli.common import Json, emit, example, say
from moviola.core.optional import OPTIONAL, install_line, is_installed, version_of

# distribution -> import name: moviola does not run without these
CORE_PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "av": "av",
    "pillow": "PIL",
    "safetensors": "safetensors",
    "pydantic": "pydantic",
    "typer": "typer",
    "rich": "rich",
    "jaxtyping": "jaxtyping",
    "jinja2": "jinja2",
}
# what for -> (decoder, encoder or None where only reading matters, moviola needs it)
CODECS = {
    "mp4 (H.264)": ("h264", "libx264", True),
    "webm (VP9)": ("vp9", "libvpx-vp9", False),
    "gif": ("gif", "gif", False),
    "png": ("png", "png", True),
    "webp": ("webp", "libwebp_anim", False),
    "H.265": ("hevc", None, False),
    "AV1": ("av1", None, False),
    "MPEG-4": ("mpeg4", None, False),
    "sound (AAC)": ("aac", "aac", False),
    "sound (Opus)": ("opus", "libopus", False),
}


@dataclasses.dataclass
class Report:
    """What `doctor` found; its fields are the keys of `--json`.

    Args:
        ok: moviola's core works here.
        moviola, python, system: versions, as text.
        packages: name -> {version or None, required, use}; of an optional one also {extras}, of pyproject.toml.
        devices: {name, description, memory_bytes} each; the CPU is the first.
        codecs: what for -> {read, write (None where moviola never writes it), required}.
        weights: {name, path, size_bytes, state ("ok", "damaged", "unchecked"), problems} each.
        pretrained: {name, state ("cached", "installed", "missing"), path or None, metrics} of the fetchable networks.
        cache: {path, exists, free_bytes}.
        problems: what keeps the core from working, one line each, with what to do.
        advice: what is missing but optional, one line each, with what to do.
    """

    ok: bool
    moviola: str
    python: str
    system: str
    packages: dict[str, dict[str, Any]]
    devices: list[dict[str, Any]]
    codecs: dict[str, dict[str, Any]]
    weights: list[dict[str, Any]]
    pretrained: list[dict[str, Any]]
    cache: dict[str, Any]
    problems: list[str]
    advice: list[str]


@example("moviola doctor", "moviola doctor --json")
def command(json: Json = False) -> int:
    """Check this installation: versions, devices, codecs, embedded weights, cache; say what to do about gaps.

    Returns:
        The exit code: 0 when the core works (advice may remain), 1 when it does not.
    """
    report = examine()
    if json:
        emit(report)
    else:
        for line in render(report):
            say(line)
    return 0 if report.ok else 1


def examine() -> Report:
    """Look at this machine and return what is there; nothing is written, downloaded or raised."""
    from moviola import __version__

    problems: list[str] = []
    advice: list[str] = []
    packages = find_packages(problems, advice)
    devices = find_devices(advice)
    codecs = find_codecs(problems, advice)
    weights = find_weights(problems, advice)
    return Report(
        ok=not problems,
        moviola=__version__,
        python=platform.python_version(),
        system=platform.platform(),
        packages=packages,
        devices=devices,
        codecs=codecs,
        weights=weights,
        pretrained=find_pretrained(advice),
        cache=find_cache(advice),
        problems=problems,
        advice=advice,
    )


def find_packages(problems: list[str], advice: list[str]) -> dict[str, dict[str, Any]]:
    """Return version and use of every package moviola knows; gaps are added to `problems` or `advice`."""
    found: dict[str, dict[str, Any]] = {}
    for name, module in CORE_PACKAGES.items():
        version, fault = _try_import(name, module)
        found[name] = {"version": version, "required": True, "use": "core"}
        if fault:
            problems.append(f"{name} {fault}; run: pip install --force-reinstall {name}")
    for library in OPTIONAL.values():
        name, present = library.distribution, is_installed(library.module)
        version = (version_of(name) or "unknown") if present else None
        found[name] = {
            "version": version,
            "required": False,
            "use": library.uses,
            "extras": list(library.extras),
        }
        if not present:
            advice.append(f"{name} is missing ({library.uses}); {install_line(library.extras[0])}")
    return found


def _try_import(distribution: str, module: str) -> tuple[str | None, str | None]:
    """Return (version, None), or (None, what is wrong) when the package does not import."""
    try:
        importlib.import_module(module)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == module
        return None, "is missing" if missing else f"does not load ({type(error).__name__}: {error})"
    return version_of(distribution) or "unknown", None


def find_devices(advice: list[str]) -> list[dict[str, Any]]:
    """Return the CPU and every accelerator torch can use, with their memory in bytes."""
    about_cpu = f"{os.cpu_count()} cores, {platform.machine()}"
    devices: list[dict[str, Any]] = [{"name": "cpu", "description": about_cpu, "memory_bytes": _memory()}]
    try:
        import torch

        if torch.cuda.is_available():
            for index in range(torch.cuda.device_count()):
                about = torch.cuda.get_device_properties(index)
                devices.append(
                    {"name": f"cuda:{index}", "description": about.name, "memory_bytes": about.total_memory}
                )
        if torch.backends.mps.is_available():
            devices.append({"name": "mps", "description": "Apple GPU", "memory_bytes": _memory()})
    except Exception as error:
        advice.append(f"torch cannot list its devices ({type(error).__name__}: {error})")
    if len(devices) == 1:
        advice.append("no GPU that torch can use: generating is quick all the same, training takes hours")
    return devices


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def find_codecs(problems: list[str], advice: list[str]) -> dict[str, dict[str, Any]]:
    """Return which formats PyAV's FFmpeg reads and writes here."""
    found: dict[str, dict[str, Any]] = {}
    for use, (decoder, encoder, required) in CODECS.items():
        read = _has_codec(decoder, "r")
        write = None if encoder is None else _has_codec(encoder, "w")
        found[use] = {"read": read, "write": write, "required": required}
        gaps = ([] if read else [f"read (no {decoder})"]) + (
            [f"written (no {encoder})"] if write is False else []
        )
        if gaps:
            line = (
                f"{use} cannot be {' or '.join(gaps)}; run: pip install --force-reinstall --only-binary av av"
            )
            (problems if required else advice).append(line)
    return found


def _has_codec(name: str, mode: Any) -> bool:
    try:
        import av.codec

        av.codec.Codec(name, mode)
    except Exception:
        return False
    return True


def find_weights(problems: list[str], advice: list[str]) -> list[dict[str, Any]]:
    """Return the embedded models and whether their files are as they were shipped."""
    from moviola.core.checksums import check_sums
    from moviola.core.errors import MoviolaError

    try:
        from moviola.models.catalog import list_models

        cards = list_models()
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
        problems.append(f"the model catalog does not load ({fault}); reinstall moviola")
        return []
    found = []
    for card in cards:
        try:
            faults = check_sums(card.path)
            state = "damaged" if faults else "ok"
        except MoviolaError as error:
            faults, state = [str(error)], "unchecked"
        about = {"name": card.name, "path": card.path, "size_bytes": card.size_bytes}
        found.append({**about, "state": state, "problems": faults})
        if state == "damaged":
            problems.append(f"the model {card.name}: {', '.join(faults)} in {card.path}; reinstall moviola")
        elif state == "unchecked":
            advice.append(f"the model {card.name} has no checksums, so damage would go unseen: {card.path}")
    return found


def find_pretrained(advice: list[str]) -> list[dict[str, Any]]:
    """Return which outside networks are here; for what is missing, the advice names the metrics and the command."""
    from moviola.nn.pretrained.store import PRETRAINED, locate

    found = []
    for entry in PRETRAINED.values():
        state, path = locate(entry.name)
        found.append({"name": entry.name, "state": state, "path": path, "metrics": list(entry.uses)})
        if state == "missing":
            metrics = ", ".join(entry.uses)
            advice.append(f"{entry.name} is not here (for {metrics}); run: moviola models fetch {entry.name}")
    return found


def find_cache(advice: list[str]) -> dict[str, Any]:
    """Return the cache folder, whether it exists, and the free bytes on its disk."""
    from moviola.core.paths import cache_dir

    path = cache_dir()
    there = next((folder for folder in (path, *path.parents) if folder.exists()), Path("."))
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        advice.append(f"the cache folder {path} cannot be written; set MOVIOLA_CACHE to one that can")
    elif free < 1_000_000_000:
        advice.append(f"less than 1 GB is free for the cache in {path}; set MOVIOLA_CACHE to another disk")
    return {"path": path, "exists": path.exists(), "free_bytes": free}


def render(report: Report) -> Iterable[str]:
    """Yield the lines of `report` for a person."""
    yield f"moviola {report.moviola}, Python {report.python}, {report.system}"
    yield ""
    yield "packages"
    for name, about in report.packages.items():
        note = "" if about["required"] else f"  for {about['use']}"
        yield f"  {name:<22} {about['version'] or 'missing':<12}{note}".rstrip()
    yield "devices"
    for device in report.devices:
        yield f"  {device['name']:<14} {device['description']}, {_gigabytes(device['memory_bytes'])}"
    yield "video formats"
    for use, about in report.codecs.items():
        verbs = [word for word, there in (("read", about["read"]), ("write", about["write"])) if there]
        yield f"  {use:<14} {' and '.join(verbs) or 'missing'}"
    yield "models"
    for model in report.weights:
        yield f"  {model['name']:<14} {model['state']}, {model['size_bytes'] / 1e6:.1f} MB, {model['path']}"
    if not report.weights:
        yield "  none embedded"
    yield "outside networks"
    for about in report.pretrained:
        where = f", {about['path']}" if about["path"] else f", for {', '.join(about['metrics'])}"
        yield f"  {about['name']:<18} {about['state']}{where}"
    yield "cache"
    yield f"  {report.cache['path']}, {_gigabytes(report.cache['free_bytes'])} free"
    yield ""
    for line in report.advice:
        yield f"could be better: {line}"
    for line in report.problems:
        yield f"BROKEN: {line}"
    yield "moviola works here." if report.ok else "moviola does not work here; mend the lines marked BROKEN."


def _gigabytes(size: int | None) -> str:
    return "memory unknown" if size is None else f"{size / 1e9:.1f} GB"
