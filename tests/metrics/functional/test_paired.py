"""MSE, PSNR, SSIM and MS-SSIM against scikit-image, pytorch-msssim and formulas."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from moviola.core.errors import InputError
from moviola.metrics.functional import paired

REFERENCE = Path(__file__).resolve().parents[2] / "reference"
KNOWN = json.loads((REFERENCE / "paired.json").read_text(encoding="utf-8"))
_spec = importlib.util.spec_from_file_location("formula", REFERENCE / "formula.py")
formula = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(formula)


def pair(size, one, two, share):
    """The pictures of make_paired.py, as clips of one frame."""
    a, b = formula.picture(size, one), formula.picture(size, two)
    return a[None], np.round((1 - share) * a + share * b).astype(np.uint8)[None]


@pytest.mark.parametrize("known", KNOWN["pairs"])
def test_as_scikit_image(known):
    """MSE, PSNR and SSIM agree with scikit-image to 1e-9."""
    a, b = pair(*known["case"])
    assert paired.mse(a, b)[0] == pytest.approx(known["mse"], rel=1e-9)
    assert paired.psnr(a, b)[0] == pytest.approx(known["psnr"], rel=1e-9)
    assert paired.ssim(a, b)[0] == pytest.approx(known["ssim"], abs=1e-9)


@pytest.mark.parametrize("known", KNOWN["scales"])
def test_as_pytorch_msssim(known):
    """MS-SSIM agrees with pytorch-msssim to 5e-6: the weights of its window are rounded to float32."""
    assert paired.ms_ssim(*pair(*known["case"]))[0] == pytest.approx(known["ms-ssim"], abs=5e-6)


def test_scikit_image_itself():
    """The same against scikit-image as it is installed, on grey frames that are not square."""
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a = ndimage.gaussian_filter(rng.uniform(0, 255, (3, 23, 37)), (0, 2, 2)).astype(np.uint8)
    b = np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(np.uint8)
    settings = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 255}
    for i in range(3):
        assert paired.ssim(a, b)[i] == pytest.approx(
            metrics.structural_similarity(a[i], b[i], **settings), abs=1e-9
        )
        assert paired.psnr(a, b)[i] == pytest.approx(metrics.peak_signal_noise_ratio(a[i], b[i]), abs=1e-9)


def ms_ssim_by_scipy(a, b):
    """MS-SSIM of two grey float images, written a second time with scipy.ndimage."""
    terms = []
    for scale in range(5):
        mean = lambda x: ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)[5:-5, 5:-5]  # noqa: E731
        ma, mb = mean(a), mean(b)
        va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
        contrast = (2 * cov + 58.5225) / (va + vb + 58.5225)
        light = (2 * ma * mb + 6.5025) / (ma**2 + mb**2 + 6.5025)
        terms.append((contrast * light).mean() if scale == 4 else contrast.mean())
        a, b = (np.pad(x, [(0, n % 2) for n in x.shape], mode="edge") for x in (a, b))
        a, b = ((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4 for x in (a, b))
    return float(np.prod(np.array(terms) ** [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]))


def test_odd_sides():
    """The smallest and odd sizes, where the edge is held: by scipy."""
    rng = np.random.default_rng(1)
    a = ndimage.gaussian_filter(rng.uniform(0, 255, (161, 203)), 1.0) * 2 % 255
    b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255)
    assert paired.ms_ssim(a[None], b[None])[0] == pytest.approx(ms_ssim_by_scipy(a, b), abs=1e-9)


def test_equal_clips():
    """Equal frames: error 0, infinite PSNR, similarity 1; a clip's PSNR ends at 100 dB."""
    a = np.stack([formula.picture(176, seed) for seed in (0, 1)])
    assert paired.mse(a, a).tolist() == [0, 0] and np.isposinf(paired.psnr(a, a)).all()
    assert paired.ssim(a, a) == pytest.approx([1, 1]) and paired.ms_ssim(a, a) == pytest.approx([1, 1])
    assert paired.clip_psnr(a, a) == 100 and np.isposinf(paired.clip_psnr(a, a, cap=np.inf))


def test_one_copied_frame():
    """PSNR of a clip is that of its mean error: a frame copied exactly does not make it infinite."""
    a = np.full((2, 12, 12, 3), 100, np.uint8)
    b = a.copy()
    b[1] += 10  # errors 0 and 100, mean 50
    assert paired.psnr(a, b).tolist() == [np.inf, pytest.approx(10 * np.log10(650.25))]
    assert paired.clip_psnr(a, b) == pytest.approx(10 * np.log10(255**2 / 50))


def test_no_wrap_around():
    """Differences of bytes are not taken modulo 256."""
    black, white = np.zeros((1, 11, 11, 3), np.uint8), np.full((1, 11, 11, 3), 255, np.uint8)
    assert paired.mse(black, white)[0] == 65025 and paired.psnr(white, black)[0] == 0


def test_bad_input():
    """Shapes that differ and frames that are too small name the rule and the size."""
    a = np.zeros((2, 20, 30, 3), np.uint8)
    with pytest.raises(InputError, match=r"not \(2, 20, 30, 3\) and \(1, 20, 30, 3\)"):
        paired.mse(a, a[:1])
    with pytest.raises(InputError, match="at least 11 px each way, not 30x10"):
        paired.ssim(a[:, :10], a[:, :10])
    with pytest.raises(InputError, match=r"more than 160 px each way, .* not 30x20"):
        paired.ms_ssim(a, a)
