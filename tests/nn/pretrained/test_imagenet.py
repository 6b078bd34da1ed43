"""The list of ImageNet's classes."""

from __future__ import annotations

from moviola.nn.pretrained.imagenet import class_names


def test_a_thousand_names_in_order():
    """1000 names; some whose numbers are widely known; only the two cranes share one."""
    names = class_names()
    assert len(names) == 1000
    known = {
        0: "tench",
        1: "goldfish",
        207: "golden retriever",
        281: "tabby",
        388: "giant panda",
        999: "toilet tissue",
    }
    for number, name in known.items():
        assert names[number].split(", ")[0] == name
    assert {name for name in names if names.count(name) > 1} == {"crane"}
    assert all(name == name.strip() and name for name in names)
