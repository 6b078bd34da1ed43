"""Depth and poses, for ControlNets that look at them: by networks of the transformers library.

The networks are named or lie in folders, in safetensors, as everything that is loaded here. Depth is drawn near white
and far black; poses as the coloured skeletons that the ControlNet "openpose" was trained on.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moviola.core.optional import require
from moviola.core.quiet import quiet_libraries
from moviola.models.rerender.diffusion.config import ControlConfig
from moviola.models.rerender.diffusion.loading import from_hub, load_part

DEPTH = "depth-anything/Depth-Anything-V2-Small-hf"
"""Depth Anything V2, small (Yang et al. 2024; Apache-2.0, 25 M parameters)."""
POSE = "usyd-community/vitpose-base-simple"
"""ViTPose, base (Xu et al. 2022; Apache-2.0, 86 M parameters): 17 joints of a person in a box, as COCO numbers them."""
DETECTOR = "PekingU/rtdetr_r18vd"
"""RT-DETR, R18 (Zhao et al. 2023; Apache-2.0, 20 M parameters): finds the people."""

FOUND, SURE = 0.3, 0.3  # least score of a person, and of a joint that is drawn
# OpenPose's 18 joints as COCO's 17: nose, neck (the middle of the shoulders), right arm, left arm, right leg, left leg,
# right eye, left eye, right ear, left ear
_NECK = 1
_JOINTS = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_LINE = 4 / 512  # half the width of a limb and radius of a joint, of the shorter side
_DIM = 0.6  # limbs beside joints


def depth(frame: np.ndarray, control: ControlConfig, device: str = "cpu") -> np.ndarray:
    """Return how near everything in a frame is, uint8 (H, W, 3): 255 the nearest, 0 the farthest in it.

    Args:
        frame: uint8 (H, W, 3).
        control: its `annotator`: a network for depth that gives more for what is nearer; None for `DEPTH`.
        device: where it runs.

    Raises:
        WeightsError: the network is not here; one line says how to get it.
    """
    processor, network = _network("AutoModelForDepthEstimation", control.annotator or DEPTH, "depth", device)
    found = network(**processor(images=frame, return_tensors="pt").to(device))
    near = processor.post_process_depth_estimation(found, target_sizes=[frame.shape[:2]])[0][
        "predicted_depth"
    ]
    values = near.float().cpu().numpy()
    low, high = values.min(), values.max()
    unit = (values - low) / max(high - low, 1e-12)
    return np.repeat(np.rint(unit * 255).astype(np.uint8)[..., None], 3, axis=2)


def openpose(frame: np.ndarray, control: ControlConfig, device: str = "cpu") -> np.ndarray:
    """Return the skeletons of the people in a frame on black, uint8 (H, W, 3).

    Args:
        frame: uint8 (H, W, 3).
        control: its `annotator`: a ViTPose for COCO's 17 joints, None for `POSE`; its `detector`: what finds the
            people, None for `DETECTOR`.
        device: where they run.

    Raises:
        WeightsError: a network is not here; one line says how to get it.
    """
    boxes = people(frame, control, device)
    if not len(boxes):
        return np.zeros_like(frame)
    processor, network = _network("VitPoseForPoseEstimation", control.annotator or POSE, "openpose", device)
    inputs = processor(images=frame, boxes=[boxes], return_tensors="pt").to(device)
    if getattr(network.config.backbone_config, "num_experts", 1) > 1:
        inputs["dataset_index"] = torch.zeros(len(boxes), dtype=torch.int64, device=device)  # COCO's expert
    found = processor.post_process_pose_estimation(network(**inputs), boxes=[boxes])[0]
    joints = np.stack([person["keypoints"].numpy(force=True) for person in found])
    scores = np.stack([person["scores"].numpy(force=True) for person in found])
    return draw_people(joints, scores, *frame.shape[:2])


def people(frame: np.ndarray, control: ControlConfig, device: str = "cpu") -> np.ndarray:
    """Return the boxes of the people in a frame, float32 (N, 4): left, top, width, height, px."""
    processor, network = _network(
        "AutoModelForObjectDetection", control.detector or DETECTOR, "openpose", device
    )
    found = network(**processor(images=frame, return_tensors="pt").to(device))
    found = processor.post_process_object_detection(found, threshold=FOUND, target_sizes=[frame.shape[:2]])[0]
    names = network.config.id2label
    wanted = [str(names.get(int(label), "")).lower() == "person" for label in found["labels"]]
    corners = found["boxes"].float().numpy(force=True)[np.array(wanted, bool)].reshape(-1, 4)
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def draw_people(joints: np.ndarray, scores: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw skeletons as OpenPose does: each of 17 limbs and 18 joints in a colour of its own on the colour wheel.

    Source: Cao et al. 2019, "OpenPose" (joints and limbs); the look is what Zhang et al. 2023, "Adding Conditional
    Control to Text-to-Image Diffusion Models", trained on: limbs at 0.6 of the brightness below joints.

    Args:
        joints: (x, y) of COCO's 17 joints of each person, px, (N, 17, 2).
        scores: how sure each is, (N, 17); a joint is drawn above 0.3, a limb where both its ends are.
        height, width: of the picture, px.

    Returns:
        uint8 (height, width, 3), black where nobody is.
    """
    cv2 = require("cv2", 'control "openpose"')
    picture = np.zeros((height, width, 3), np.uint8)
    thick = max(1, round(_LINE * min(height, width)))
    for places, sure in (_as_openpose(*person) for person in zip(joints, scores, strict=True)):
        drawn = [(int(x), int(y)) for x, y in np.rint(places)]
        for number, (a, b) in enumerate(_LIMBS):
            if sure[a] and sure[b]:
                _limb(picture, places[a], places[b], thick, _colour(number, _DIM))
        for number, place in enumerate(drawn):
            if sure[number]:
                cv2.circle(picture, place, thick, _colour(number), thickness=-1)
    return picture


def _as_openpose(joints: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return OpenPose's joints (18, 2) of COCO's (17, 2), and which are sure, bool (18,)."""
    order = [0 if joint is None else joint for joint in _JOINTS]
    places, sure = joints[order].astype(np.float64), scores[order] > SURE
    shoulders = [_JOINTS[2], _JOINTS[5]]
    places[_NECK] = joints[shoulders].mean(axis=0)
    sure[_NECK] = (scores[shoulders] > SURE).all()
    return places, sure


def _limb(picture: np.ndarray, a: np.ndarray, b: np.ndarray, thick: int, colour: tuple[int, ...]) -> None:
    """Fill an ellipse between two joints."""
    cv2 = require("cv2", 'control "openpose"')
    x, y = (int(value) for value in np.rint((a + b) / 2))
    length, angle = np.hypot(*(b - a)), np.degrees(np.arctan2(b[1] - a[1], b[0] - a[0]))
    shape = cv2.ellipse2Poly((x, y), (max(1, int(length / 2)), thick), int(angle), 0, 360, 1)
    cv2.fillConvexPoly(picture, np.array(shape), colour)


def _colour(number: int, brightness: float = 1.0) -> tuple[int, ...]:
    """Return the colour of a limb or joint: 18 hues, 20 degrees apart, from red on."""
    return tuple(int(255 * brightness * part + 0.5) for part in colorsys.hsv_to_rgb(number / 18, 1, 1))


@lru_cache(maxsize=4)
def _network(kind: str, name: str, control: str, device: str) -> tuple[Any, Any]:
    """Return the processor of pictures and the network of a name or folder."""
    transformers = require("transformers", f"control {control!r}")
    what = f"the network that draws {control!r} pictures:"
    with quiet_libraries():
        if not Path(name).expanduser().exists():
            from_hub(name, "config.json", what)
        network = load_part(getattr(transformers, kind), name, {"use_safetensors": True}, what)
        processor = load_part(transformers.AutoImageProcessor, name, {}, what)
    return processor, network.eval().requires_grad_(False).to(device)
