"""What ControlNets look at."""

import numpy as np
import pytest
import torch

from moviola.core.errors import ConfigError, WeightsError
from moviola.models.rerender.diffusion import controls
from moviola.models.rerender.diffusion.config import ControlConfig
from moviola.models.rerender.diffusion.controls import annotate, check, condition, pair
from moviola.nn.pretrained import hed, packages, store


@pytest.fixture
def square():
    """A white square on black, 40x30."""
    frame = np.zeros((40, 30, 3), np.uint8)
    frame[10:30, 8:22] = 255
    return frame


def test_canny_draws_the_outline(square):
    pytest.importorskip("cv2")
    edges = annotate(square, ControlConfig(kind="canny", low=50, high=100))
    assert edges.shape == (40, 30, 3) and edges.dtype == np.uint8
    assert set(np.unique(edges)) == {0, 255}
    inside = np.zeros((40, 30), bool)
    inside[8:32, 6:24] = True
    inside[13:27, 11:19] = False
    assert (edges[~inside] == 0).all()
    assert (edges[..., 0] > 0).sum() > 40


def test_canny_thresholds_count(square):
    pytest.importorskip("cv2")
    faint = (square // 8).astype(np.uint8)
    low, high = (annotate(faint, ControlConfig(low=a, high=b)) for a, b in ((10, 20), (200, 255)))
    assert low.any() and not high.any()


def test_given_pictures_are_taken(square):
    given = np.full((20, 15, 3), 77, np.uint8)
    found = annotate(square, ControlConfig(kind="openpose"), given)
    np.testing.assert_array_equal(found, np.full_like(square, 77))
    np.testing.assert_array_equal(annotate(square, ControlConfig(kind="tile")), square)


def test_condition_is_in_unit_range(square):
    tensor = condition(square)
    assert tensor.shape == (1, 3, 40, 30) and tensor.dtype == torch.float32
    assert tensor[0, :, 15, 15].tolist() == [1, 1, 1] and tensor[0, :, 0, 0].tolist() == [0, 0, 0]


def test_kinds_that_nothing_makes(square):
    with pytest.raises(
        ConfigError,
        match=r"nothing here makes 'normal' pictures \(it makes canny, depth, hed, openpose, tile\)",
    ):
        annotate(square, ControlConfig(kind="normal"))
    with pytest.raises(ConfigError, match="nothing here makes 'lineart'"):
        check([ControlConfig(kind="lineart")], {}, 3)
    check([ControlConfig(kind="lineart")], {"lineart": [square] * 3}, 3)
    check([ControlConfig(kind="depth")], {}, 3)
    with pytest.raises(ConfigError, match="2 pictures for 'depth' and 3 key frames"):
        check([ControlConfig(kind="depth")], {"depth": [square] * 2}, 3)
    with pytest.raises(ConfigError, match="pictures for 'depht' are given, but the ControlNets are depth"):
        check([ControlConfig(kind="depth")], {"depht": [square] * 3}, 3)


@pytest.fixture
def fresh():
    controls._hed.cache_clear()
    yield
    controls._hed.cache_clear()


def test_hed_without_its_weights(square, monkeypatch, tmp_path, fresh):
    """One line says how to get them."""
    monkeypatch.setenv("MOVIOLA_CACHE", str(tmp_path))
    monkeypatch.setattr(packages, "installed_file", lambda *names: None)
    with pytest.raises(WeightsError) as caught:
        annotate(square, ControlConfig(kind="hed"))
    assert str(caught.value) == 'control "hed" needs the hed weights: run "moviola models fetch hed"'


def test_hed_draws_what_the_network_draws(square, monkeypatch, fresh):
    """Its map, in three equal channels."""
    network = hed.HED().eval()
    monkeypatch.setattr(store, "find_weights", lambda *words: None)
    monkeypatch.setattr(hed, "load_hed", lambda path: network)
    found = annotate(square, ControlConfig(kind="hed"))
    assert found.shape == square.shape and np.ptp(found[..., 0]) > 0
    for c in range(3):
        np.testing.assert_array_equal(found[..., c], network.edges(square))


def test_pair():
    found = pair(["canny", "hed"], [0.7, 0.4], ["a", "b"])
    assert [(c.kind, c.strength, c.model) for c in found] == [("canny", 0.7, "a"), ("hed", 0.4, "b")]
    assert [c.strength for c in pair(["canny", "hed"])] == [1.0, 1.0]
    assert pair([]) == ()


def test_two_controlnets_and_one_strength():
    with pytest.raises(ConfigError) as caught:
        pair(["canny", "hed"], [0.7])
    expected = "2 ControlNets (canny, hed) and 1 strength; give one strength for each, in the same order"
    assert str(caught.value) == expected
    with pytest.raises(ConfigError, match="strength"):
        pair(["canny"], [-1.0])
