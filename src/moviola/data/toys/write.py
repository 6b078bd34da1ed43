"""Toys written to disk as a captioned data set that `moviola.data.sources.open_source` reads back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from moviola.core.atomic import new_folder
from moviola.core.config import Config
from moviola.core.errors import ConfigError, check_name
from moviola.core.provenance import as_if
from moviola.data.captions import write_captions
from moviola.data.toys import ToyClip, load_toy

Format = Literal["mp4", "npz", "frames"]
FORMATS: tuple[Format, ...] = ("mp4", "npz", "frames")
_CRF = 0  # H.264 that loses nothing but the rounding from RGB to YUV: at most 2 or 3 of 255


def write_dataset(
    name: str,
    count: int,
    out: str | Path,
    seed: int = 0,
    config: Config | None = None,
    format: Format = "mp4",
    tick: Callable[[], object] = lambda: None,
) -> Path:
    """Make clips and write them with `captions.jsonl` (`file`, `caption`, `truth`), all or nothing.

    Args:
        name: a key of `moviola.data.toys.TOYS`.
        count: number of clips; at least 1.
        out: a new or empty folder; its parent exists.
        seed: which set.
        config: the toy's settings; None for its defaults.
        format: `mp4` (lossless but for rounding), `npz` (exact) or `frames` (a folder of png each, exact).
        tick: called after each clip.

    Returns:
        The folder.

    Raises:
        ConfigError, UnknownNameError: a count below 1, a toy or format that does not exist.
        OutputError: the folder holds something, or cannot be written.
    """
    toy = load_toy(name)
    if count < 1:
        raise ConfigError(f"the number of clips must be at least 1, not {count}")
    check_name("format", format, FORMATS)
    digits = max(6, len(str(count - 1)))
    suffix = "" if format == "frames" else f".{format}"
    with new_folder(Path(out)) as folder:

        def rows() -> Iterator[dict[str, Any]]:
            for index in range(count):
                clip = toy.make(index, seed, config)
                file = f"{index:0{digits}d}{suffix}"
                with as_if(out, number=index + 1):
                    _write_clip(clip, folder / file, format)
                tick()
                yield {"file": file, "caption": clip.caption, "truth": to_json(clip.truth)}

        write_captions(folder / "captions.jsonl", rows())
    return Path(out)


def to_json(value: Any) -> Any:
    """Return a truth as plain JSON values; numbers are rounded to 6 decimals (a millionth of a pixel)."""
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    return round(value, 6) if isinstance(value, float) else value


def _write_clip(clip: ToyClip, path: Path, format: Format) -> None:
    from moviola.data import codec

    if format == "mp4":
        codec.write(clip.video, path, crf=_CRF, pix_fmt="yuv444p")
    else:
        codec.write(clip.video, f"{path}/" if format == "frames" else path)
