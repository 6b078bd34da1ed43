"""Draw the films of docs/inrv.md with the embedded space of videos: python scripts/space_media.py SMILEYS

SMILEYS is the folder of faces that the model was trained on; the films show faces that its recipe held out.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from moviola.cli.main import run as moviola

MEDIA = Path(__file__).resolve().parents[1] / "docs" / "media"
FILMS = {
    "invert": "1f924.webp",
    "inpaint": "1f626.webp",
    "predict": "1f636.webp",
    "frame-interpolate": "1f616.webp",
    "sparse": "1f913.webp",
    "upsample": "1f974.webp",
}
WALK = ("crying face", "grinning face", "robot", "clown", "pleading")


def main() -> int:
    """Write walk.webp and space-TASK.webp; return 0, or the code of the first command that failed."""
    faces = Path(sys.argv[1])
    commands = [
        ["edit", "interpolate", "--between", *WALK, "--size", "128x128", "-o", str(MEDIA / "walk.webp")]
    ]
    with tempfile.TemporaryDirectory() as folder:
        for task, name in FILMS.items():
            film, out = MEDIA / f"space-{task}.webp", Path(folder) / f"{task}.mp4"
            free = ["--free", "heads"] if task == "invert" else []
            commands.append(
                ["edit", task, str(faces / name), "--loop", *free, "--film", str(film), "-o", str(out)]
            )
        for command in commands:
            code = moviola(command)
            if code:
                return code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
