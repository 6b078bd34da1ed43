"""How a video is to be written, checked against what the format can do."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from moviola.core.errors import ConfigError, FormatError, UnknownNameError
from moviola.data.codec.formats import ENCODINGS, Encoding, check_rate

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """Options of `write` and `Writer`.

    Args:
        crf: constant rate factor, 0 best; None for the format's own (mp4, mov, mkv 17 of 51; webm 24 of 63).
        pix_fmt: "yuv420p" (colour at half the resolution; what every player shows) or "yuv444p" (colour at full
            resolution); None for yuv420p, and yuv444p where H.264 meets an odd width or height.
        preset: how long x264 searches, "ultrafast" to "veryslow".
        lossless: keep every RGB value (mp4, mov, mkv, webm, webp; png, apng and npz always do).
        audio: write the sound of the videos that have some.
    """

    crf: float | None = None
    pix_fmt: str | None = None
    preset: str = "medium"
    lossless: bool = False
    audio: bool = True

    def check(self, suffix: str, fps: Fraction) -> None:
        """Compare with what `suffix` can hold.

        Raises:
            ConfigError, UnknownNameError: a value outside its range. FormatError: the format cannot do it.
        """
        if self.preset not in PRESETS:
            raise UnknownNameError.of("preset", self.preset, PRESETS)
        encoding = ENCODINGS.get(suffix)
        if self.lossless and suffix in (".gif", ".jpg", ".jpeg"):
            raise FormatError(f"{suffix} cannot be lossless; use .png, .webp, .npz or .mkv")
        if self.crf is not None:
            self._check_crf(suffix, encoding)
        if self.pix_fmt is not None:
            pixel_formats = encoding.pixels if encoding else ("rgb24",)
            if self.pix_fmt not in pixel_formats:
                raise UnknownNameError.of(
                    f"pixel format of {suffix or 'a frame folder'}", self.pix_fmt, pixel_formats
                )
            if self.lossless and self.pix_fmt != "rgb24":
                raise ConfigError(
                    f"lossless keeps RGB, so it cannot be written as {self.pix_fmt}; leave pix_fmt out"
                )
        check_rate(suffix, fps)

    def _check_crf(self, suffix: str, encoding: Encoding | None) -> None:
        if encoding is None or encoding.crf is None:
            raise ConfigError(f"{suffix or 'a frame folder'} has no crf; leave it out")
        if not isinstance(self.crf, (int, float)) or not 0 <= self.crf <= encoding.crf[1]:
            raise ConfigError(f"crf of {suffix} is 0 to {encoding.crf[1]}, got {self.crf}")

    def pixels(self, suffix: str, height: int, width: int) -> str:
        """Return the pixel format for frames of this size.

        Raises:
            FormatError: H.264 yuv420p asked for with an odd width or height.
        """
        encoding = ENCODINGS[suffix]
        if self.lossless:
            return "gbrp" if encoding.codec == "libvpx-vp9" else "rgb24"
        is_odd = encoding.codec == "libx264" and (height % 2 or width % 2)
        if is_odd and self.pix_fmt == "yuv420p":
            raise FormatError(
                f"yuv420p in {suffix} needs an even width and height, got {width}x{height}; "
                "use yuv444p, or crop or resize first"
            )
        return self.pix_fmt or ("yuv444p" if is_odd else encoding.pixels[0])
