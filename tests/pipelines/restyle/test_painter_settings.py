"""Settings of the filter painters: what they reach, what they make again, and what is noted."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from moviola.core.video import Video
from moviola.data import codec
from moviola.models.rerender.filters import FILTERS, paint
from moviola.models.rerender.filters.settings import InkConfig, OilConfig
from moviola.pipelines.restyle import Plan, RestyleConfig, paint_first, restyle, restyle_file
from moviola.pipelines.restyle.painting import own_paint

pytest.importorskip("cv2")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five frames of a soft texture that moves."""
    coarse = Video(np.random.default_rng(0).integers(0, 256, (1, 9, 14, 3), dtype=np.uint8), 10).resize(
        48, 80
    )
    path = tmp_path / "clip.mkv"
    Video(np.stack([coarse.frames[0][:, t : t + 64] for t in range(5)]), 10).save(path, lossless=True)
    return path


def test_every_painter_has_its_settings() -> None:
    """By its own name, and with two or three values each."""
    config = RestyleConfig()
    for name, painter in FILTERS.items():
        assert type(getattr(config, name)) is painter.settings
        assert 2 <= len(painter.settings.model_fields) <= 3


def test_settings_reach_the_paint(clip: Path, tmp_path: Path) -> None:
    """Of key frames and of a frame's own paint, which can be sent to another process."""
    config = RestyleConfig.make({"painter": "oil"}).with_overrides(["oil.brush=3", "oil.impasto=0"])
    frame = codec.read(clip).frames[0]
    wanted = paint(frame, "oil", settings=OilConfig(brush=3, impasto=0))
    assert (wanted != paint(frame, "oil")).any()
    own = own_paint(config)
    assert own is not None and (pickle.loads(pickle.dumps(own))(frame) == wanted).all()
    paint_first(clip, tmp_path / "first.png", config)
    assert (codec.read(tmp_path / "first.png").frames[0] == wanted).all()
    made = restyle(codec.read(clip), painter="oil", oil={"brush": 3, "impasto": 0}, keys={"interval": 1})
    assert (made.frames[0] == wanted).all()


def test_resumed_with_another_setting(clip: Path, tmp_path: Path) -> None:
    """The painter's own settings make its paint again; those of another painter do not."""

    def run(*overrides: str) -> int:
        config = RestyleConfig.make({"painter": "ink"}).with_overrides(overrides)
        plan = Plan(work=tmp_path / "work", resume=(tmp_path / "work").exists())
        return restyle_file(clip, tmp_path / "out.mkv", config, plan).painted

    assert run() > 0 == run() == run("oil.brush=2")
    assert run("ink.line=2") > 0
    painted = codec.read(tmp_path / "work/painted/000000.png").frames[0]
    assert (painted == paint(codec.read(clip).frames[0], "ink", settings=InkConfig(line=2))).all()


def test_settings_of_another_painter_are_named() -> None:
    config = RestyleConfig.make({"painter": "ink"}).with_overrides(["oil.brush=2", "ink.line=2"])
    assert config.check() == ["not used with the painter ink and these key frames: oil.brush"]
    assert "ink.line" in config.check(by_hand=True)[0]
    diffusion = RestyleConfig.make({"painter": "diffusion", "prompt": "a castle", "sketch": {"line": 2}})
    assert "sketch.line" in diffusion.check()[0]
