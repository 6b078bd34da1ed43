"""Pairing by order: the natural order of names, on both sides."""

from __future__ import annotations

from types import SimpleNamespace

from moviola.pipelines.evaluate.pairs import _by_order


def plan(names: list[str]) -> SimpleNamespace:
    """A plan as far as pairing by order looks at it; plans list clips by plain comparison of their names."""
    return SimpleNamespace(title="a set", cuts=[SimpleNamespace(name=name) for name in sorted(names)])


def test_numbers_pair_whether_padded_or_not():
    """001 to 012 against 1 to 12: clip 2 with clip 2, though "10" comes before "2" as text."""
    real, fake = plan([f"{i:03d}.mp4" for i in range(1, 13)]), plan([f"take{i}.gif" for i in range(1, 13)])
    pairs = _by_order(real, fake)
    assert [pair[1] for pair in pairs] == list(range(12))
    for one, two in pairs:
        assert int(real.cuts[one].name[:3]) == int(fake.cuts[two].name[4:-4])
