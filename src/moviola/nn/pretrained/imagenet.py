"""The classes of the image networks: those of ILSVRC 2012, in the order of their WordNet numbers.

Each is named by the words of its synset in WordNet 3.0 (Princeton University), as the challenge lists them.
"""

from __future__ import annotations

from importlib import resources


def class_names() -> tuple[str, ...]:
    """Return the 1000 names, such as "tench, Tinca tinca"; two classes are called "crane" (a bird, a machine)."""
    text = (
        resources.files("moviola.nn.pretrained").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    )
    return tuple(text.splitlines())
