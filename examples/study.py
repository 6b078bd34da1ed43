"""A study of five pairs, answered by a script whose preferences are known, and read back.

    python examples/study.py FOLDER

Two embedded models make the clips: `sprites` draws them, `regis-u` refines them. It takes half a minute. The nine
raters are simulated: eight choose by the odds below; one presses the left key all the time, which a catch pair shows.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import moviola as mv
from moviola.core.seeds import numpy_generator
from moviola.pipelines.study import make_study, read_study
from moviola.pipelines.study.records import Answer, Answers, Choice, Pair, Study

CAPTIONS = (
    "a person with red hair and a white shirt walks to the left",
    "an orc casts a spell",
    "a person with green hair and a teal shirt slashes to the right",
    "a person with blonde hair and brown boots shoots to the left",
    "a person with blue hair falls",
)
# how many wins of the refined clips stand against one of the others
ODDS = {
    "visual-quality": 4.0,
    "realism": 2.0,
    "diversity": 1.0,
    "coherence": 3.0,
    "textual-faithfulness": 0.5,
}


def write_clips(folder: Path) -> tuple[Path, Path]:
    """Write five clips of `sprites`, and the same refined, under the same names."""
    plain, refined = folder / "sprites", folder / "refined"
    plain.mkdir(parents=True, exist_ok=True)
    refined.mkdir(exist_ok=True)
    for number, video in enumerate(mv.sample("sprites", num=5, captions=CAPTIONS, frames=12, seed=0)):
        video.save(plain / f"{number}.mp4")
        mv.refine(video, iterations=2, seed=number).save(refined / f"{number}.mp4")
    with (plain / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(
            [("file", "caption"), *((f"{n}.mp4", text) for n, text in enumerate(CAPTIONS))]
        )
    return plain, refined


def choose(pair: Pair, criterion: str, draw: float) -> Choice:
    """Return what a simulated rater says; `draw` is uniform between 0 and 1."""
    if pair.damaged is not None:
        return "right" if pair.damaged == "left" else "left"
    refined = draw < ODDS[criterion] / (1 + ODDS[criterion])
    return "left" if refined == (pair.left == 1) else "right"


def answer(study: Study, rater: int, folder: Path) -> Path:
    """Write the answers of a rater as the page would; the last one only presses left."""
    generator = numpy_generator(1, "rater", rater)
    answers = tuple(
        Answer(
            pair=number,
            criterion=c.key,
            choice="left" if rater == 8 else choose(pair, c.key, generator.random()),
        )
        for number, pair in enumerate(study.pairs)
        for c in study.criteria_of(pair)
    )
    saved = Answers(study=study.id, rater=f"rater {rater + 1}", session=f"{rater:016x}", answers=answers)
    path = folder / f"answers-{rater + 1}.json"
    path.write_text(saved.to_json(), encoding="utf-8")
    return path


def main(folder: Path) -> None:
    made = make_study(write_clips(folder), folder / "study.html", seed=0)
    print(
        f"wrote {made.page}: {len(made.study.pairs)} pairs, {made.size / 1e6:.1f} MB, and its key {made.key}"
    )
    (folder / "answers").mkdir(exist_ok=True)
    files = [answer(made.study, rater, folder / "answers") for rater in range(9)]
    results = read_study(made.key, files)
    for note in results.notes:
        print(f"note: {note}")
    for verdict in results.verdicts:
        refined = next(standing for standing in verdict.standings if standing.method == "refined")
        interval = f"({refined.low:+.2f} to {refined.high:+.2f})"
        truth = math.log(ODDS[verdict.criterion]) / 2
        print(f"{verdict.criterion:<22} {refined.score:+.2f} {interval}, true {truth:+.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "studied"))
