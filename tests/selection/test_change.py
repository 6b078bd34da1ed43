"""Measures of change: exact values on made-up frames, and what every measure promises."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, InputError, UnknownNameError, WeightsError
from moviola.data import codec
from moviola.nn.pretrained.efficientnet_lite import EfficientNetLite, EfficientNetLiteConfig
from moviola.selection.change import MEASURES, ChangeMeasure, change_measure, reduce


def texture(seed: int = 0, height: int = 120, width: int = 200) -> np.ndarray:
    """Smooth coloured noise, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, height // 8, width // 8), np.float32))
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")
    return (fine[0].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()


def deep(**options) -> ChangeMeasure:
    """The deep measure on a small random network."""
    net = EfficientNetLite(EfficientNetLiteConfig.tiny()).eval()
    generator = torch.Generator().manual_seed(0)
    for p in net.parameters():
        p.data.normal_(0, 0.5, generator=generator)
    return change_measure("deep", network=net, size=64, **options)


def make(name: str) -> ChangeMeasure:
    """Any measure, without weights."""
    if name == "deep":
        return deep()
    if name == "latent":
        return change_measure("latent", encode=lambda frames: frames[:, ::8, ::8].astype(np.float32))
    return change_measure(name)


@pytest.fixture(scope="module")
def walk() -> list[np.ndarray]:
    """A camera that moves by 0, 1, 6, 2, 0 px over a texture."""
    wide = texture(width=240)
    return [np.ascontiguousarray(wide[:, x : x + 200]) for x in np.cumsum([0, 0, 1, 6, 2, 0])]


@pytest.mark.parametrize("name", MEASURES)
def test_a_curve_is_its_pairs(name, walk):
    """[0] is 0, [t] is the change between frames t-1 and t, whatever the batches; from a generator too."""
    measure = make(name)
    assert isinstance(measure, ChangeMeasure) and measure.name == name
    curve = measure.curve(frame for frame in walk)
    assert curve.dtype == np.float64 and curve.shape == (6,) and curve[0] == 0
    pairs = [measure.between(a, b) for a, b in pairwise(walk)]
    np.testing.assert_allclose(curve[1:], pairs, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in MEASURES if name != "uniform"])
def test_the_same_frame_is_no_change_and_motion_is_some(name, walk):
    """Where the camera stands the curve is (almost) nothing, and most where it moves most."""
    curve = make(name).curve(walk)
    assert max(curve[1], curve[5]) < 0.05 * curve.max()
    assert curve.argmax() == 3 or name == "orb"  # whole pixels move: keypoints keep their partners


def test_uniform_is_one_each(walk):
    """Nothing is looked at."""
    assert change_measure("uniform").curve(walk).tolist() == [0, 1, 1, 1, 1, 1]


def test_histogram_is_the_earth_movers_distance(walk):
    """Black to white is 1; a lift of all levels by 25 of 255; scipy's distance on real histograms."""
    from scipy.stats import wasserstein_distance

    measure = change_measure("histogram", size=1000)
    black = np.zeros((20, 30, 3), np.uint8)
    assert measure.between(black, black + 255) == pytest.approx(1)
    assert measure.between(black + 100, black + 125) == pytest.approx(25 / 255)
    a, b = texture(1), texture(2)
    apart = [wasserstein_distance(a[..., c].ravel(), b[..., c].ravel()) for c in range(3)]
    assert measure.between(a, b) == pytest.approx(np.mean(apart) / 255)


def test_orb_is_a_difference():
    """Nothing in common is near 1, the same frame 0: the source's authors had it the other way round."""
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 256, (120, 160, 3), np.uint8) for _ in range(2))
    measure = change_measure("orb")
    assert measure.between(one, one) < 0.05
    assert measure.between(one, other) > 0.6
    flat = np.full_like(one, 90)
    assert measure.between(flat, flat) == 0 and measure.between(flat, one) == 1


@pytest.mark.parametrize("shift", [2, 5])
def test_flow_is_in_pixels_of_the_full_frame(shift):
    """A camera that moves by some pixels, seen at a quarter of the size."""
    wide = texture(3, 320, 420)
    one, other = wide[:, :400], wide[:, shift : shift + 400]
    assert change_measure("flow", size=80).between(one, other) == pytest.approx(shift, rel=0.15)
    tall = np.ascontiguousarray(one.swapaxes(0, 1)), np.ascontiguousarray(other.swapaxes(0, 1))
    assert change_measure("flow", size=80).between(*tall) == pytest.approx(shift, rel=0.15)


def test_flow_without_opencv(walk, monkeypatch):
    """Another method; and one line where OpenCV is missing."""
    curve = change_measure("flow", flow="lk").curve(walk)
    assert curve.argmax() == 3 and curve[3] == pytest.approx(6, rel=0.2)
    monkeypatch.setitem(sys.modules, "cv2", None)
    for name in ("flow", "orb"):
        with pytest.raises(InputError, match=f'measure "{name}" needs OpenCV; run'):
            change_measure(name)


def test_deep_is_one_minus_the_cosine():
    """Against the definition, on the network's own pooled output; batches change nothing; RGB, not BGR."""
    one, other = texture(4, 64, 64), texture(5, 64, 64)
    measure = deep()
    net = measure._network
    with torch.inference_mode():
        x = (torch.from_numpy(np.stack([one, other])).movedim(-1, 1).float() - 127) / 128
        pooled = net.head(net.blocks(net.stem(x))).mean(dim=(2, 3)).double()
    expected = 1 - torch.nn.functional.cosine_similarity(pooled[0], pooled[1], dim=0)
    assert measure.between(one, other) == pytest.approx(float(expected), rel=1e-4)
    assert measure.between(one, other) != pytest.approx(
        measure.between(one[..., ::-1].copy(), other[..., ::-1].copy()), rel=1e-3
    )
    frames = [texture(s, 64, 64) for s in range(7)]
    np.testing.assert_allclose(deep(batch=3).curve(frames), deep(batch=1).curve(frames), rtol=1e-4)


def test_latent_is_the_root_mean_square():
    """Of whatever the encoder gives: an array, or a tensor with a gradient."""
    one, other = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 6, np.uint8)
    assert change_measure("latent", encode=lambda f: f / 2).between(one, other) == 3
    tensor = change_measure("latent", encode=lambda f: torch.from_numpy(f).half().requires_grad_())
    assert tensor.between(one, other) == 6
    with pytest.raises(ConfigError, match="encode gave 1 latents for 2 frames"):
        change_measure("latent", encode=lambda f: f[:1]).between(one, other)


def test_frames_stream():
    """A measure holds no more frames than its batch."""
    import weakref

    alive: list[weakref.ref] = []

    def frames():
        for i in range(40):
            frame = np.full((24, 24, 3), i, np.uint8)
            alive.append(weakref.ref(frame))
            yield frame
            held = sum(ref() is not None for ref in alive)
            assert held <= 9  # two batches and one on its way

    assert len(deep(batch=4).curve(frames())) == 40


def test_reduce():
    """The shorter side, means of whole blocks, small frames as they are."""
    frame = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    small = reduce(frame, 10)
    assert small.shape == (10, 15, 3)
    blocks = frame.reshape(10, 4, 15, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).max() <= 1
    assert reduce(frame, 40) is frame or np.array_equal(reduce(frame, 40), frame)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: change_measure("flwo"), UnknownNameError, "did you mean flow"),
        (lambda: change_measure("resnet"), UnknownNameError, "unknown measure of change 'resnet'"),
        (lambda: change_measure("flow", sizes=3), ConfigError, "has no option 'sizes'; it has size"),
        (lambda: change_measure("uniform", size=3), ConfigError, "it has no options"),
        (lambda: change_measure("flow", size=3), ConfigError, "size is 3; it must be at least 16"),
        (lambda: change_measure("latent"), ConfigError, "needs encode="),
        (lambda: change_measure("histogram").curve([np.zeros((4, 4, 3))]), InputError, "frame 0 is float64"),
        (lambda: change_measure("histogram").curve([np.zeros((4, 4), np.uint8)]), InputError, "frame 0 is"),
        (
            lambda: change_measure("uniform").between(
                np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)
            ),
            InputError,
            "frame 1 is 5x4, those before 4x4",
        ),
    ],
)
def test_bad_input(call, error, says):
    """One line each."""
    with pytest.raises(error) as caught:
        call()
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_deep_without_weights(monkeypatch, tmp_path):
    """Says who needs them and how to get them."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr("moviola.nn.pretrained.packages.installed_file", lambda *names: None)
    with pytest.raises(WeightsError, match=r'measure "deep" needs .*"moviola models fetch'):
        change_measure("deep")


def test_fast_motion_of_a_real_clip(shared):
    """A jump of four frames in a runner's clip stands out in flow, deep features aside."""
    clip = codec.read(shared / "media/video/woman-running.mp4", stop=16).frames
    frames = [*clip[:6], *clip[10:16]]
    assert change_measure("flow").curve(frames).argmax() == 6
    assert change_measure("histogram").curve(frames).argmax() == 6


@pytest.mark.parametrize("name", [name for name in MEASURES if name != "uniform"])
def test_weights_leave_out_what_is_beside_them(name, walk):
    """What happens where nothing counts is no change; where all counts alike the curve is the plain one bit for bit."""
    measure = make(name)
    frames = [np.concatenate([walk[0], frame], axis=1) for frame in walk]  # the left half stands still
    left = np.zeros(frames[0].shape[:2], np.float32)
    left[:, :180] = 1
    plain, everything = measure.curve(frames), measure.curve(frames, [np.ones_like(left)] * 6)
    np.testing.assert_array_equal(plain, everything)
    still, moving, nothing = (measure.curve(frames, [w] * 6) for w in (left, 1 - left, np.zeros_like(left)))
    assert still.max() < 0.1 * plain.max() and moving.max() > 0.5 * plain.max()
    assert nothing.max() < 1e-6


def test_flow_is_the_mean_inside(walk):
    """Two halves that move by 0 and by 6 px: the mean of the moving one alone is twice that of the whole."""
    frames = [np.concatenate([walk[0], frame], axis=1) for frame in walk[2:4]]
    right = np.zeros(frames[0].shape[:2], np.float32)
    right[:, 200:] = 1
    measure = make("flow")
    assert measure.curve(frames, [right] * 2)[1] == pytest.approx(2 * measure.curve(frames)[1], rel=0.15)
