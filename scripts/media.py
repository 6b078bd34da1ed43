"""Draw the pictures of the README and the docs with the embedded models: python scripts/media.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import moviola as mv

MEDIA = Path(__file__).resolve().parents[1] / "docs" / "media"
WALK = "a person with green hair, a white shirt, red trousers and brown boots walks to the left"
PROMPTS = (
    WALK,
    "a green orc with pink hair, chainmail and steel boots casts a spell towards the viewer",
    "a person with dark skin, a blue topknot, a shirt with a tie and white trousers shoots to the right",
    "a person with brown skin, orange curls, a teal shirt, a brown skirt and golden boots walks to the right",
    "a person with light skin, purple curls, a leather vest and green trousers slashes to the right",
    "a person with golden skin, short red hair, a steel breastplate and steel leggings thrusts to the left",
    "a person with pale skin, parted white hair, a maroon shirt and red trousers walks away from the viewer",
    "a person with light skin, spiky orange hair, a white shirt and teal trousers falls",
)


def grid(videos: list[mv.Video], columns: int) -> mv.Video:
    """Lay videos of equal size out in rows of `columns`."""
    rows = [
        np.concatenate([v.frames for v in videos[i : i + columns]], axis=2)
        for i in range(0, len(videos), columns)
    ]
    return mv.Video(np.concatenate(rows, axis=1), videos[0].fps)


def main() -> None:
    """Write sprites.webp, walk-sheet.png and actions.webp."""
    MEDIA.mkdir(parents=True, exist_ok=True)
    sprites = mv.load("sprites")
    videos = [mv.generate(p, model=sprites, frames=24, seed=i).scale(3) for i, p in enumerate(PROMPTS)]
    grid(videos, 4).save(MEDIA / "sprites.webp")
    walk = mv.generate(WALK, model=sprites, frames=16, seed=0).scale(3)
    Image.fromarray(np.ascontiguousarray(walk.contact_sheet(columns=8))).save(
        MEDIA / "walk-sheet.png", optimize=True
    )
    actions = mv.load("actions")
    said = ("waves one hand", "waves both hands", "does jumping jacks", "bends down")
    videos = [mv.generate(f"a person {a}", model=actions, frames=40, seed=1).scale(2) for a in said]
    grid(videos, 4).save(MEDIA / "actions.webp")


if __name__ == "__main__":
    main()
