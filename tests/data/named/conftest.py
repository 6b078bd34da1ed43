"""Tiny data sets in the layout of every published one, written from what their authors say of it."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw

from moviola.core.video import Video
from moviola.data import codec
from moviola.data.named import moving_mnist

HEIGHT, WIDTH = 60, 80


def numbered(count: int) -> np.ndarray:
    """Frames of one grey each, which is their number."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 16, 16, 3)).copy()


def write_avi(path: Path, frames: np.ndarray) -> None:
    """Write frames without loss as AVI, at 25 a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "bgr0"
        for frame in frames:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        file.mux(stream.encode(None))


def walker(count: int, speed: float, start: float, zoom: float = 0.0, noise: int = 0) -> np.ndarray:
    """A stick figure that swings its limbs while it moves `speed` px a frame, grey, (count, 60, 80, 3)."""
    random = np.random.default_rng(count)
    frames = []
    for t in range(count):
        image = Image.new("L", (WIDTH, HEIGHT), 150)
        draw, x, scale = ImageDraw.Draw(image), start + speed * t, 1 + zoom * t
        swing = 6 * np.sin(t * 0.9)
        lines = [
            ((0, -8), (0, 8)),
            ((0, 8), (swing, 20)),
            ((0, 8), (-swing, 20)),
            ((0, -4), (-swing, 4)),
            ((0, -4), (swing, 4)),
        ]
        for (x0, y0), (x1, y1) in lines:
            ends = [(x + scale * a, 30 + scale * b) for a, b in ((x0, y0), (x1, y1))]
            draw.line([*ends[0], *ends[1]], fill=40, width=2)
        draw.ellipse([x - 3 * scale, 30 - 15 * scale, x + 3 * scale, 30 - 9 * scale], fill=40)
        grey = np.asarray(image).astype(int) + random.integers(-noise, noise + 1, (HEIGHT, WIDTH))
        frames.append(np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1))
    return np.stack(frames)


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write bytes in MNIST's format, gzipped where the name says so."""
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


class Writer:
    """Puts files below a folder.

    Attributes:
        mp4: the bytes of a small video.
    """

    numbered = staticmethod(numbered)
    avi = staticmethod(write_avi)
    walker = staticmethod(walker)
    idx = staticmethod(write_idx)

    def __init__(self, root: Path, mp4: bytes) -> None:
        self.root, self.mp4 = root, mp4

    def put(self, name: str, content: str | bytes | None = None) -> Path:
        """Write a text, bytes, or (None) the small video."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = self.mp4 if content is None else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def frames(self, folder: str, count: int = 3) -> None:
        """Write a folder of JPEG frames."""
        (self.root / folder).mkdir(parents=True)
        for k, frame in enumerate(numbered(count)):
            Image.fromarray(frame).save(self.root / folder / f"{k:05d}.jpg")

    def tar(self, name: str, members: dict[str, bytes]) -> Path:
        """Write an uncompressed tar archive."""
        path = self.root / name
        with tarfile.open(path, "w") as archive:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    def kth(self) -> None:
        """Two people on either side of the split, boxing and walking there and back."""
        lines = ["A heading.", "Training:   person11, 12", ""]
        for person in (1, 16, 17, 25):
            stem = f"person{person:02d}_boxing_d1"
            self.avi(self.root / f"boxing/{stem}_uncomp.avi", numbered(24))
            lines.append(f"{stem}\t\tframes\t1-5, 6-12, 14-24")
            stem = f"person{person:02d}_walking_d2"
            there, back = walker(16, 3.0, 15), walker(16, -3.0, 65)
            self.avi(self.root / f"walking/{stem}_uncomp.avi", np.concatenate([there, back]))
            lines.append(f"{stem}    \tframes\t1-16, 17-32")
        lines.append("person13_handclapping_d3\t*missing*")
        self.put("00sequences.txt", "\r\n".join(lines))

    def mnist(self, train: int = 40, test: int = 20) -> None:
        """Images whose every pixel is their row, and labels 0, 1, ... 9, 0, ...; one file gzipped, one not."""
        for which, count, end in (("train", train, ".gz"), ("t10k", test, "")):
            if count:
                rows = np.arange(count)
                images = np.broadcast_to(rows[:, None, None] + 1, (count, 28, 28))
                self.idx(self.root / f"{which}-images-idx3-ubyte{end}", images)
                self.idx(self.root / f"{which}-labels-idx1-ubyte{end}", rows % 10)

    def ucf101(self) -> None:
        """Two actions; groups 1 and 2 are tested on in the first split, group 3 in the second."""
        clips = [(a, g, c) for a in ("Archery", "HandstandPushups") for g in (1, 2, 3) for c in (1, 2)]
        files = {(a, g, c): f"{a}/v_{a.replace('stand', 'Stand')}_g{g:02d}_c{c:02d}.avi" for a, g, c in clips}
        for file in files.values():
            self.put(f"UCF-101/{file}")
        lists = "ucfTrainTestlist"
        self.put(f"{lists}/classInd.txt", "1 Archery\r\n2 HandstandPushups\r\n")
        number = {"Archery": 1, "HandstandPushups": 2}
        for split, tested in (("01", (1, 2)), ("02", (3,))):
            train = [f"{file} {number[key[0]]}" for key, file in files.items() if key[1] not in tested]
            test = [file for key, file in files.items() if key[1] in tested]
            self.put(f"{lists}/trainlist{split}.txt", "\n".join(train) + "\n")
            self.put(f"{lists}/testlist{split}.txt", "\n".join(test) + "\n")

    def msrvtt(self) -> None:
        """Four clips, two captions each; the test clips have a JSON of their own."""
        for split, ids in {"train_val": (0, 1, 2), "test": (3,)}.items():
            kinds = {0: "train", 1: "train", 2: "validate", 3: "test"}
            videos = [
                {"video_id": f"video{i}", "split": kinds[i], "category": i, "url": f"u{i}"} for i in ids
            ]
            sentences = [
                {"video_id": f"video{i}", "caption": f"caption {k} of {i}"} for k in (1, 2) for i in ids
            ]
            self.put(f"{split}_videodatainfo.json", json.dumps({"videos": videos, "sentences": sentences}))
            for i in ids:
                self.put(f"{'TestVideo' if split == 'test' else 'TrainValVideo'}/video{i}.mp4")
        self.put("category.json", '{"music": 0}')

    def kinetics(self) -> None:
        """Five clips that are there, one that is not; a web video of training is also in validation."""
        head = "label,youtube_id,time_start,time_end,split\n"
        train = "air drumming,aaaaaaaaaaa,1,11,train\nabseiling,bbb_bbbbbbb,20,30,train\n"
        train += "abseiling,ccccccccccc,0,10,train\n"
        self.put("annotations/train.csv", head + train + "abseiling,gone_______,5,15,train\n")
        self.put("annotations/val.csv", head + "abseiling,ccccccccccc,50,60,val\n")
        self.put("annotations/test.csv", "youtube_id,time_start,time_end,split\nddddddddddd,7,17,test\n")
        self.put("train/air_drumming/aaaaaaaaaaa_000001_000011.mp4")
        self.put("train/abseiling/bbb_bbbbbbb_000020_000030.mp4")
        self.put("train/abseiling/ccccccccccc_000000_000010.mp4")
        self.put("val/abseiling/ccccccccccc_000050_000060.mp4")
        self.put("test/ddddddddddd_000007_000017.mp4")

    def webvid(self) -> None:
        """Three of the four videos that are listed."""
        head = "videoid,contentUrl,duration,page_dir,name\n"
        train = '1,http://x,PT0H0M10S,000001_000050,"A dog, running"\n2,http://x,PT0H0M5S,000001_000050,Sea at night\n'
        self.put("results_2M_train.csv", head + train + "9,http://x,PT0H0M5S,000051_000100,Gone\n")
        self.put("results_2M_val.csv", head + "3,http://x,PT0H0M5S,000001_000050,A cat\n")
        for number in (1, 2, 3):
            self.put(f"videos/000001_000050/{number}.mp4")

    def sky_timelapse(self) -> None:
        """Three videos of training in four clips, one of test."""
        for clip in ("a/a_1", "a/a_2", "b/b_1", "c/c_1"):
            self.frames(f"sky_train/{clip}")
        self.frames("sky_test/d/d_1")

    def how2sign_faces(self) -> None:
        """Clips of three signers in folders of frames, listed by paths of another machine."""
        names = [f"-vid{k}_{k}-{signer}-rgb_front" for k, signer in enumerate((1, 1, 2, 5, 5, 2))]
        for name in names:
            self.frames(f"How2Sign-Blobs_128x128/train/{name}")
        paths = [f"/scratch/someone/How2Sign-Blobs_128x128/train/{name}" for name in names]
        self.put("datasets/valid_how2sign_faces.txt", "\n".join(paths) + "\n")

    def webdataset(self) -> None:
        """Two shards of training, one of test; captions in texts and in JSON."""
        for number, shard in enumerate(("train-000", "train-001", "test-000")):
            members: dict[str, bytes] = {}
            for k in range(2):
                key = f"{number}{k:04d}"
                members[f"{key}.mp4"] = self.mp4
                if k:
                    members[f"{key}.json"] = json.dumps({"caption": f"json {key}", "status": "ok"}).encode()
                else:
                    members[f"{key}.txt"] = f"text {key}\n".encode()
            self.tar(f"{shard}.tar", members)

    def build(self, name: str) -> str:
        """Write the data set `name` and return how it is asked for."""
        kinds = {"moving-mnist": self.mnist, "moving-mnist-captions": self.mnist}
        kinds.get(name, getattr(self, name.replace("-", "_"), self.mnist))()
        return f"{name}:{self.root}"


@pytest.fixture(scope="session")
def mp4(tmp_path_factory) -> bytes:
    """The bytes of a small video."""
    path = tmp_path_factory.mktemp("mp4") / "small.mp4"
    codec.write(Video(numbered(3), fps=10), path)
    return path.read_bytes()


@pytest.fixture
def writer(tmp_path, mp4, monkeypatch) -> Writer:
    """Writes into an empty folder; caches are empty, too."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(moving_mnist, "COUNT", 30)  # instead of ten thousand
    (tmp_path / "set").mkdir()
    return Writer(tmp_path / "set", mp4)


@pytest.fixture
def build(writer) -> Callable[[str], str]:
    """Writes a data set by name and returns how it is asked for."""
    return writer.build
