"""Animated png, gif and webp against a compositor that works pixel by pixel, and against FFmpeg where it is right."""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
import warnings
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from moviola.core.errors import VideoReadError
from moviola.core.notes import Note
from moviola.data import codec
from moviola.data.sources import open_source

_SPEC = importlib.util.spec_from_file_location("animations", Path(__file__).with_name("animations.py"))
assert _SPEC and _SPEC.loader
animations = importlib.util.module_from_spec(_SPEC)
sys.modules["animations"] = animations  # dataclasses look their module up
_SPEC.loader.exec_module(animations)
BACKGROUND, KEEP, PREVIOUS = animations.BACKGROUND, animations.KEEP, animations.PREVIOUS
HEIGHT, WIDTH = animations.HEIGHT, animations.WIDTH
Layer, apng, chunk, compose = animations.Layer, animations.apng, animations.chunk, animations.compose
gif, scan_lines, webp = animations.gif, animations.scan_lines, animations.webp

# every disposal with every blend, "previous" on the first picture among them, and each after each
FLAGS = [
    (PREVIOUS, True),
    (PREVIOUS, False),
    (KEEP, True),
    (BACKGROUND, True),
    (PREVIOUS, True),
    (BACKGROUND, False),
]
FLAGS += [(KEEP, False), (PREVIOUS, True), (PREVIOUS, True), (KEEP, True), (BACKGROUND, True), (KEEP, True)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def boxes(rng: np.random.Generator, count: int, step: int = 1) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height; the first covers the canvas."""
    out = [(0, 0, WIDTH, HEIGHT)]
    for _ in range(count - 1):
        width, height = int(rng.integers(1, WIDTH)), int(rng.integers(1, HEIGHT))
        left, top = int(rng.integers(0, WIDTH - width + 1)), int(rng.integers(0, HEIGHT - height + 1))
        out.append((left // step * step, top // step * step, width, height))
    return out


def png_case(color: int, depth: int, clear: bool, hidden: bool = False) -> tuple[bytes, list[Layer]]:
    """An animated png of one kind of pixels, and its layers as they decode."""
    rng = np.random.default_rng(color * 100 + depth)
    top = 2**depth - 1
    palette, alphas = rng.integers(0, 256, (8, 3)), np.array([0, 255, 100, 200, 255, 30, 255, 255])
    extra = {
        2: chunk(b"tRNS", bytes(6)) if clear else b"",
        3: chunk(b"PLTE", palette.astype(np.uint8).tobytes())
        + (chunk(b"tRNS", alphas.astype(np.uint8).tobytes()) if clear else b""),
        0: chunk(b"tRNS", struct.pack(">H", 2)) if clear else b"",
    }.get(color, b"")
    layers = []
    for (left, up, width, height), (dispose, over) in zip(boxes(rng, len(FLAGS)), FLAGS, strict=True):
        values = rng.integers(
            0, min(top, 7) + 1 if color in (0, 3) else top + 1, (height, width, CHANNELS[color])
        )
        if color in (4, 6):
            values[..., -1] = np.where(rng.random((height, width)) < 0.4, 0, values[..., -1])
        if color == 2:
            values[rng.random((height, width)) < 0.4] = 0
        shown = values / top * 255
        solid = np.full((height, width, 1), 255)
        if color == 3:
            colors = palette[values[..., 0]]
            opacity = alphas[values] if clear else solid
        else:
            colors = np.repeat(shown[..., :1], 3, -1) if color in (0, 4) else shown[..., :3]
            key = {0: values == 2, 2: (values == 0).all(-1, keepdims=True)}.get(color)
            opacity = shown[..., -1:] if color in (4, 6) else np.where(key, 0, 255) if clear else solid
        layers.append(
            Layer(np.concatenate([colors, opacity], -1), left, up, dispose, over, scan_lines(values, depth))
        )
    default = scan_lines(rng.integers(0, 2, (HEIGHT, WIDTH, CHANNELS[color])), depth) if hidden else b""
    return apng(layers, depth, color, extra, default), layers


def check(path: Path, wanted: np.ndarray, within: float) -> None:
    """In sequence, in part, by number, streamed and through a source: all the same, and as wanted."""
    frames = codec.read(path).frames
    assert frames.shape == wanted.shape
    assert np.abs(frames - wanted).max() <= within
    for i in range(len(frames)):
        assert (codec.read_frames_at(path, [i])[0] == frames[i]).all()
    assert (codec.read_frames_at(path, [7, 2, 2, 9]) == frames[[7, 2, 2, 9]]).all()
    assert (codec.read(path, 3, 11, 2).frames == frames[3:11:2]).all()
    assert (np.concatenate([v.frames for v in codec.stream(path, batch=5)]) == frames).all()
    assert (open_source(path, layout="videos").read(0, [4, 8]).frames == frames[[4, 8]]).all()


def ffmpeg(path: Path) -> np.ndarray:
    """What FFmpeg shows, over white, float (T, H, W, 3)."""
    with av.open(str(path)) as container:
        rgba = np.stack([f.to_ndarray(format="rgba") for f in container.decode(video=0)]).astype(float)
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(
    ("color", "depth"),
    [(6, 8), (6, 16), (2, 8), (2, 16), (3, 8), (3, 4), (0, 8), (0, 4), (0, 2), (0, 16), (4, 8)],
)
def test_an_animated_png_is_composed_as_its_specification_says(tmp_path, color, depth, clear, hidden):
    """Alpha is rounded to 8 bits once a layer (half a level each), and Pillow cuts 16 bits of color off (one level)."""
    data, layers = png_case(color, depth, clear, hidden)
    (tmp_path / "a.png").write_bytes(data)
    check(tmp_path / "a.png", compose(layers), within=2 if color in (3, 4, 6) or depth == 16 else 0.01)


@pytest.mark.parametrize("color", [6, 4, 3, 2, 0])
def test_an_animated_png_is_as_ffmpeg_shows_it(tmp_path, color):
    """FFmpeg blends depths of 8 only, and takes the background of a png without alpha for black, so: with alpha."""
    data, _ = png_case(color, 8, True)
    (tmp_path / "a.png").write_bytes(data)
    assert np.abs(codec.read(tmp_path / "a.png").frames - ffmpeg(tmp_path / "a.png")).max() <= 2


def test_the_reported_png(shared):
    path = shared / "media" / "reports" / "d2b1.png"
    frames = codec.read(path).frames
    assert np.abs(frames - ffmpeg(path)).max() <= 0.5
    assert all((codec.read_frames_at(path, [i])[0] == frames[i]).all() for i in range(6))


def test_a_hidden_default_image_before_one_frame_is_not_shown(tmp_path):
    layer = Layer(
        np.full((HEIGHT, WIDTH, 4), 200), 0, 0, KEEP, False, scan_lines(np.full((HEIGHT, WIDTH, 4), 255), 8)
    )
    hidden = scan_lines(np.zeros((HEIGHT, WIDTH, 4), int), 8)
    (tmp_path / "a.png").write_bytes(apng([layer], 8, 6, hidden=hidden))
    assert codec.probe(tmp_path / "a.png").frames == 1
    assert (codec.read(tmp_path / "a.png").frames == 255).all()


def gif_case(kind: str, first_whole: bool = True) -> bytes:
    """A gif of twelve frames: one palette or many; all, some or none with something transparent."""
    rng = np.random.default_rng(3)
    palettes = [rng.integers(0, 256, (8, 3), dtype=np.uint8).tobytes() for _ in range(3)]
    places = boxes(rng, 12)
    if not first_whole:
        places = [(3, 2, 5, 4), *places[1:]]
    layers, used, clears = [], [], []
    for i, (left, top, width, height) in enumerate(places):
        values = rng.integers(0, 8, (height, width), dtype=np.uint8)
        layers.append(Layer(np.zeros((height, width, 4)), left, top, FLAGS[i][0], True, values.tobytes()))
        used.append(palettes[i % 3 if kind == "own palettes" else 0])
        clears.append(-1 if kind == "opaque" or (kind == "mixed" and i % 3 == 0) else 3)
    return gif(layers, used, clears, screen=5)


@pytest.mark.parametrize("first_whole", [True, False])
@pytest.mark.parametrize("kind", ["one palette", "own palettes", "mixed", "opaque"])
def test_a_gif_is_as_ffmpeg_shows_it(tmp_path, kind, first_whole):
    (tmp_path / "a.gif").write_bytes(gif_case(kind, first_whole))
    check(tmp_path / "a.gif", ffmpeg(tmp_path / "a.gif"), within=0)


def test_an_animated_webp_is_composed_as_its_specification_says(tmp_path):
    """libwebp blends in 8 bits; its error adds up to less than 3 levels over twelve layers."""
    rng = np.random.default_rng(4)
    flags = [
        (KEEP, True),
        (BACKGROUND, True),
        (KEEP, False),
        (BACKGROUND, False),
        (KEEP, True),
        (KEEP, True),
    ] * 2
    layers = []
    for (left, top, width, height), (dispose, over) in zip(boxes(rng, 12, step=2), flags, strict=True):
        pixels = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
        layers.append(Layer(pixels, left, top, dispose, over))
    (tmp_path / "a.webp").write_bytes(webp(layers))
    check(tmp_path / "a.webp", compose(layers), within=3)


# -- files that lack something ----------------------------------------------------------------------------


def read_with_note(path: Path, *words: str) -> np.ndarray:
    """Read a file, and see that one note names it and says these words."""
    with pytest.warns(Note) as heard:
        frames = codec.read(path).frames
        codec.probe(path)
    texts = {str(w.message) for w in heard if w.category is Note}
    assert len(texts) == 1
    text = texts.pop()
    assert text.startswith(str(path))
    assert "\n" not in text
    assert all(word in text for word in words)
    return frames


def quietly(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return codec.read(path).frames


def stray(data: bytes) -> bytes:
    """Put a zero between the first picture of a gif and what follows."""
    at = data.index(b"!\xf9\x04", data.index(b",") + 1)
    return data[:at] + b"\0" + data[at:]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d[:-1], ["last byte"]),
        (lambda d: d[:-1] + b"\0\0", ["last byte"]),
        (stray, ["stray zero"]),
        (lambda d: d[:-1] + b"garbage", ["after frame 11"]),
    ],
)
def test_a_gif_whose_frames_are_whole_is_shown_with_a_note(tmp_path, change, words):
    whole = gif_case("mixed")
    (tmp_path / "a.gif").write_bytes(whole)
    wanted = quietly(tmp_path / "a.gif")
    (tmp_path / "a.gif").write_bytes(change(whole))
    assert (read_with_note(tmp_path / "a.gif", *words) == wanted).all()


def test_the_reported_gif(shared):
    path = shared / "media" / "reports" / "v_notrailer.gif"
    assert (read_with_note(path, "last byte") == ffmpeg(path)).all()


def test_a_gif_without_a_palette_is_grey(tmp_path):
    values = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 8
    layer = Layer(np.zeros((HEIGHT, WIDTH, 4)), 0, 0, KEEP, True, values.tobytes())
    (tmp_path / "a.gif").write_bytes(gif([layer], [b""], [-1]))
    assert (read_with_note(tmp_path / "a.gif", "palette")[0] == values[..., None]).all()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_png_without_its_end_mark(tmp_path, hidden):
    whole, layers = png_case(6, 8, True, hidden)
    (tmp_path / "a.png").write_bytes(whole[:-12])
    assert np.abs(read_with_note(tmp_path / "a.png", "end mark") - compose(layers)).max() <= 2
    for missing in (14, 40, 300):  # one frame is not whole any more
        (tmp_path / "a.png").write_bytes(whole[:-missing])
        with pytest.raises(VideoReadError, match="cut short"):
            codec.read(tmp_path / "a.png")


def still(suffix: str, **options: object) -> tuple[bytes, np.ndarray]:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8))
    file = io.BytesIO()
    image.save(file, {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}[suffix], **options)
    return file.getvalue(), np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize(
    ("suffix", "options", "end"),
    [(".png", {}, 12), (".jpg", {}, 2), (".jpg", {}, 1), (".jpg", {"progressive": True}, 2)],
)
def test_a_still_without_its_end_mark(tmp_path, suffix, options, end):
    data, wanted = still(suffix, **options)
    path = tmp_path / f"0{suffix}"
    path.write_bytes(data[:-end])
    assert (read_with_note(path, "end mark") == wanted).all()
    path.unlink()
    for i in range(2):
        (tmp_path / f"{i}{suffix}").write_bytes(data[:-end])
    with pytest.warns(Note, match="end mark"):
        assert (codec.read(tmp_path).frames == wanted).all()
    with pytest.warns(Note, match="end mark"):
        assert (open_source(tmp_path, layout="frames").read(0).frames == wanted).all()
    path.write_bytes(data[: len(data) // 2])
    for read in (codec.read, lambda p: open_source(p, layout="frames").read(0)):
        with pytest.raises(VideoReadError, match=r"cut short|truncated"):
            read(tmp_path)


@pytest.mark.parametrize("stated", [0, 20, 100, 10**6])
def test_a_webp_of_a_wrong_length(tmp_path, stated):
    rng = np.random.default_rng(5)
    pixels = [rng.integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8) | [[[0, 0, 0, 255]]] for _ in range(3)]
    layers = [Layer(p.astype(np.uint8), 0, 0, KEEP, True) for p in pixels]
    data = webp(layers)
    (tmp_path / "a.webp").write_bytes(data[:4] + struct.pack("<I", stated) + data[8:])
    assert (read_with_note(tmp_path / "a.webp", "length") == compose(layers)).all()
    (tmp_path / "a.webp").write_bytes(data + b"and a word of somebody's")  # behind the end: no one's business
    assert (quietly(tmp_path / "a.webp") == compose(layers)).all()
    with pytest.raises(VideoReadError, match="cut short"):
        (tmp_path / "a.webp").write_bytes(data[:-9])
        codec.read(tmp_path / "a.webp")


def test_what_follows_the_end_is_no_ones_business(tmp_path):
    data, _ = png_case(2, 8, False)
    for name, content in {"a.gif": gif_case("mixed"), "a.png": data}.items():
        (tmp_path / name).write_bytes(content)
        before = quietly(tmp_path / name)
        (tmp_path / name).write_bytes(content + b"and more")
        assert (quietly(tmp_path / name) == before).all()


def test_a_frame_cut_in_two_is_an_error(tmp_path):
    """The number of frames of a gif stands nowhere: one that ends within a frame may lack any number of them."""
    whole = gif_case("mixed")
    for left in (len(whole) - 4, len(whole) // 2, 60, 15):
        (tmp_path / "a.gif").write_bytes(whole[:left])
        with pytest.raises(VideoReadError, match="cut short"):
            codec.read(tmp_path / "a.gif")
