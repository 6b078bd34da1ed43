"""Draw the film of docs/restyle.md on masks with an embedded model: python scripts/mask_media.py"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

import moviola as mv
from moviola.data.masks import write_masks
from moviola.pipelines.restyle import Plan, RestyleConfig, restyle_file

MEDIA = Path(__file__).resolve().parents[1] / "docs" / "media"
SIDE = 256
KEYS = (0, 6, 12, 18, 24, 30, 36, 39)
PROMPT = "a person waves both hands"


def person(frame: np.ndarray) -> np.ndarray:
    """A mask as one would draw it: the person, who is bluer or darker than the wall, uint8 (H, W)."""
    red, green, blue = (cv2.GaussianBlur(frame, (0, 0), 1.5)[..., c].astype(int) for c in range(3))
    differs = ((blue - red > 4) | (red + green + blue < 290)).astype(np.uint8)
    differs = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((41, 9), np.uint8))
    differs = cv2.morphologyEx(differs, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(differs)
    kept = [i for i in range(1, len(stats)) if stats[i, cv2.CC_STAT_AREA] > 150]
    return cv2.dilate(np.isin(labels, kept).astype(np.uint8) * 255, np.ones((5, 5), np.uint8))


def main() -> None:
    """Write restyle-mask.webp: the clip, its masks (given and carried), the person repainted, the rest repainted."""
    video = mv.generate(PROMPT, model="actions", frames=40, seed=1).resize(SIDE, SIDE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video.save(folder / "wave.mkv", lossless=True)
        masks = write_masks({key: person(video.frames[key]) for key in KEYS}, folder / "masks")
        panels = [video.frames]
        for painter, invert in (("ink", False), ("sketch", True)):
            config = RestyleConfig.make(
                {"painter": painter, "keys": {"interval": 8}, "mask": {"file": str(masks), "invert": invert}}
            )
            plan = Plan(folder / painter)
            restyle_file(folder / "wave.mkv", folder / f"{painter}.mkv", config, plan, lossless=True)
            panels.append(mv.read(folder / f"{painter}.mkv").frames)
        parts = sorted((folder / "ink/masks").glob("*.mkv"))
        panels.insert(1, np.concatenate([mv.read(part).frames for part in parts]))
    mv.Video(np.concatenate(panels, 2), video.fps).save(MEDIA / "restyle-mask.webp")


if __name__ == "__main__":
    main()
