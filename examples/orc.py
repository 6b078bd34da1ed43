"""Text to video in Python: what is left open is drawn by the seed; one caption, three people.

python examples/orc.py
"""

import moviola as mv

model = mv.load("sprites")
videos = [
    mv.generate("an orc casts a spell", model=model, frames=16, seed=seed).scale(4) for seed in range(3)
]
mv.Video.side_by_side(videos).save("orcs.webp")
print("wrote orcs.webp")
