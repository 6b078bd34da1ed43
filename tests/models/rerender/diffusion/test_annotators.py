"""Depth and poses: what is drawn, and networks of a few random weights through the code that real ones take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from moviola.core.errors import WeightsError
from moviola.models.rerender.diffusion import annotators
from moviola.models.rerender.diffusion.config import ControlConfig
from moviola.models.rerender.diffusion.controls import annotate

transformers = pytest.importorskip("transformers")
pytest.importorskip("diffusers")
pytest.importorskip("cv2")


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def depth_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Depth Anything of one thin layer."""
    folder = tmp_path_factory.mktemp("depth")
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14,
        out_indices=[1, 2, 3, 4], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=16, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=4,
    )  # fmt: skip
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    size = {"height": 56, "width": 56}
    transformers.DPTImageProcessorPil(
        size=size, ensure_multiple_of=14, keep_aspect_ratio=True
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pose_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViTPose of two thin layers."""
    folder = tmp_path_factory.mktemp("pose")
    torch.manual_seed(0)
    backbone = transformers.VitPoseBackboneConfig(
        image_size=(64, 48), patch_size=(16, 16), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        out_indices=[2],
    )  # fmt: skip
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17)
    transformers.VitPoseForPoseEstimation(config).save_pretrained(folder)
    transformers.VitPoseImageProcessorPil(size={"height": 64, "width": 48}).save_pretrained(folder)
    return folder


def test_depth_is_what_the_library_itself_draws(frame: np.ndarray, depth_folder: Path) -> None:
    """The pipeline "depth-estimation" of transformers gives the same picture; the nearest is white."""
    found = annotate(frame, ControlConfig(kind="depth", annotator=str(depth_folder)))
    assert found.shape == frame.shape and (found.min(), found.max()) == (0, 255)
    model = transformers.AutoModelForDepthEstimation.from_pretrained(depth_folder)
    processor = transformers.DPTImageProcessorPil.from_pretrained(depth_folder)
    theirs = transformers.pipeline("depth-estimation", model=model, image_processor=processor)(
        Image.fromarray(frame)
    )
    values = theirs["predicted_depth"].numpy()
    unit = (values - values.min()) / np.ptp(values)
    for c in range(3):
        assert np.abs(found[..., c] - 255 * unit).max() <= 1


def test_nobody_is_black(frame: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no person is found, no network for poses is asked for."""
    monkeypatch.setattr(annotators, "people", lambda *given: np.zeros((0, 4), np.float32))
    assert not annotate(frame, ControlConfig(kind="openpose", annotator="nowhere")).any()


def test_poses_of_a_tiny_network(
    frame: np.ndarray, pose_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its 17 joints of each person come to be drawn, within the boxes that were found."""
    boxes = np.array([[4, 6, 30, 40], [40, 10, 30, 44]], np.float32)
    drawn: list[tuple[np.ndarray, np.ndarray]] = []

    def draw(joints: np.ndarray, scores: np.ndarray, height: int, width: int) -> np.ndarray:
        drawn.append((joints, scores))
        return np.zeros((height, width, 3), np.uint8)

    monkeypatch.setattr(annotators, "people", lambda *given: boxes)
    monkeypatch.setattr(annotators, "draw_people", draw)
    picture = annotate(frame, ControlConfig(kind="openpose", annotator=str(pose_folder)))
    assert picture.shape == frame.shape
    joints, scores = drawn[0]
    assert joints.shape == (2, 17, 2) and scores.shape == (2, 17)
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    assert (np.abs(joints - middles[:, None]) <= boxes[:, None, 2:].max()).all()


def test_people_are_the_detectors_persons(frame: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes of what it calls "person", as left, top, width and height."""
    found = {
        "labels": torch.tensor([0, 2, 0]),
        "boxes": torch.tensor([[1.0, 2, 11, 22], [0, 0, 5, 5], [30, 10, 50, 60]]),
        "scores": torch.ones(3),
    }

    class Processor:
        def __call__(self, **given: object) -> transformers.BatchFeature:
            return transformers.BatchFeature({"pixel_values": torch.zeros(1)})

        def post_process_object_detection(
            self, outputs: object, threshold: float, target_sizes: list
        ) -> list:
            assert target_sizes == [(60, 80)]
            return [found]

    class Network:
        config = transformers.PretrainedConfig(id2label={0: "person", 1: "bicycle", 2: "car"})

        def __call__(self, **given: object) -> None:
            return None

    monkeypatch.setattr(annotators, "_network", lambda *given: (Processor(), Network()))
    boxes = annotators.people(frame, ControlConfig(kind="openpose"))
    np.testing.assert_array_equal(boxes, [[1, 2, 10, 20], [30, 10, 20, 50]])


def test_a_skeleton_in_openposes_colours() -> None:
    """Joints where they are, in 18 hues; the neck between the shoulders; what is not sure is left out."""
    joints, scores = np.zeros((1, 17, 2)), np.zeros((1, 17))
    for joint, place in {0: (256, 60), 5: (306, 120), 6: (206, 120), 8: (166, 200), 10: (166, 300)}.items():
        joints[0, joint], scores[0, joint] = place, 0.9
    picture = annotators.draw_people(joints, scores, 512, 512)
    assert picture[60, 256].tolist() == [255, 0, 0]  # nose
    assert picture[120, 256].tolist() == [255, 85, 0]  # neck
    assert picture[120, 206].tolist() == [255, 170, 0]  # right shoulder
    assert picture[200, 166].tolist() == [255, 255, 0]  # right elbow
    assert picture[120, 306].tolist() == [85, 255, 0]  # left shoulder
    assert picture[120, 231].tolist() == [153, 0, 0]  # neck to right shoulder, the first limb
    assert picture[160, 186].tolist() == [153, 102, 0]  # right upper arm, the third
    assert picture[90, 256].tolist() == [0, 0, 153]  # neck to nose, the thirteenth
    assert not picture[320:].any() and not picture[:, 320:].any()
    scores[0, 5] = 0.1  # without a shoulder there is no neck
    assert not annotators.draw_people(joints, scores, 512, 512)[90, 256].any()


def test_networks_that_are_not_here(frame: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the network and what to do."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for kind, name in (("depth", "no/such-depth"), ("openpose", "no/such-pose")):
        with pytest.raises(WeightsError) as caught:
            annotate(frame, ControlConfig(kind=kind, annotator=name, detector=name))
        line = str(caught.value)
        assert f"the network that draws '{kind}' pictures: '{name}'" in line and "\n" not in line
