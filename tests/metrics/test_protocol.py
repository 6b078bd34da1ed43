"""Protocols: presets as published, changes that show, keys that tell them apart."""

from __future__ import annotations

import json

import pytest

from moviola.core.errors import ConfigError, UnknownNameError
from moviola.metrics.protocol import PRESETS, Protocol, find_protocol


def test_the_presets_are_those_promised():
    assert set(PRESETS) == {
        "quick", "styleganv-fvd2048-16f", "styleganv-fvd2048-128f", "styleganv-fvd2048-128f-subsample8f", "cdfvd-16f",
    }  # fmt: skip
    assert all(find_protocol(name).name == name for name in PRESETS)
    assert len({protocol.key() for protocol in PRESETS.values()}) == len(PRESETS)
    with pytest.raises(UnknownNameError, match="did you mean cdfvd-16f"):
        find_protocol("cdfvd-16")


def test_a_changed_preset_does_not_keep_its_name():
    """Another value, another name and key; the same value, the same name; a name of one's own is kept."""
    preset = find_protocol("cdfvd-16f")
    changed = preset.with_overrides(["resize=128"])
    assert (changed.name, changed.resize) == ("cdfvd-16f (changed)", 128)
    assert changed.key() != preset.key()
    assert preset.with_overrides(["frames=16"]).name == "cdfvd-16f"
    assert preset.with_overrides(["split=test"]).name == "cdfvd-16f"
    assert preset.with_overrides(["split=test"]).key() == preset.key()
    assert preset.with_overrides(["name=mine", "frames=8"]).name == "mine"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("frames=0", "frames"),
        ("fps=-1", "fps"),
        ("resize=4", "resize"),
        ("policy=middle", "policy"),
        ("frame=8", "did you mean frames|frames"),
        ("clips_per_video=2", "needs policy 'random'"),
        ("rounding=down", "goes with resize_kernel"),
        ("jpeg_real=100", "jpeg_real"),
    ],
)
def test_bad_settings(change, words):
    with pytest.raises(ConfigError, match=words) as caught:
        find_protocol("quick").with_overrides([change])
    assert "\n" not in str(caught.value)


def test_uniform_takes_no_stride():
    with pytest.raises(ConfigError, match="takes no stride"):
        find_protocol("quick").with_overrides(["policy=uniform", "stride=2"])


@pytest.mark.parametrize(
    ("fields", "fps", "frames"),
    [
        ({}, None, 16),
        ({"stride": 8}, None, 121),
        ({"stride": 8, "min_frames": 128}, None, 128),
        ({"fps": 5}, 20, 61),
    ],
)
def test_reach(fields, fps, frames):
    """How many frames of a video a clip needs."""
    assert Protocol(**fields).reach(fps) == frames


def test_reach_needs_the_rate():
    with pytest.raises(ConfigError, match="fps"):
        Protocol(fps=5).reach()


def test_sides_differ_where_the_protocol_says_so():
    """REAL and FAKE share a cache key exactly where their clips are treated alike."""
    preset = find_protocol("styleganv-fvd2048-16f")
    real, fake = preset.side("real"), preset.side("fake")
    assert (real.policy, real.short) == ("random", "skip")
    assert (fake.policy, fake.short) == ("first", "error")
    plain = Protocol()
    assert plain.side("real").clip_key() == plain.side("fake").clip_key()
    assert plain.side("real").clip_key() == Protocol(seed=3, max_real=5, short="loop").side("real").clip_key()
    for other in (Protocol(resize=64), Protocol(jpeg_real=75), Protocol(stride=2), Protocol(fps=8)):
        assert other.side("real").clip_key() != plain.side("real").clip_key()


def test_record_is_plain():
    """Everything that decides a figure is in it, as JSON."""
    said = find_protocol("quick").record({"path": "a"}, {"path": "b"}, {"i3d": {"sha256": "0"}})
    assert json.loads(json.dumps(said)) == said
    assert {"frames", "resize_kernel", "antialias", "seed", "decoder", "torch", "key", "split"} <= set(said)
    assert (said["real"]["path"], said["networks"]["i3d"]["sha256"]) == ("a", "0")


def test_text_tells_what_is_not_plain():
    assert find_protocol("quick").text().startswith("quick: 16 frames, stride 1, policy center, order random")
    assert "ddof 0" in find_protocol("cdfvd-16f").text()
