"""Names looked up in tables."""

from __future__ import annotations

import pytest

from moviola.core.errors import UnknownNameError, check_name, look_up


def test_look_up():
    """What the table holds, or a line with the nearest names; where none is near, those there are."""
    table = {"sorted": 1, "random": 2}
    assert look_up("order", "random", table) == 2
    with pytest.raises(UnknownNameError, match=r"^unknown order 'randon'; did you mean random\?$"):
        look_up("order", "randon", table)
    with pytest.raises(UnknownNameError, match=r"^unknown order 'x'; known: sorted, random$"):
        look_up("order", "x", table)


def test_check_name():
    """Nothing for a name that is known, of any collection; the line for another."""
    check_name("layout", "frames", ("frames", "strips"))
    with pytest.raises(UnknownNameError, match=r"^unknown layout 'frame'; did you mean frames\?$"):
        check_name("layout", "frame", ("frames", "strips"))
    with pytest.raises(UnknownNameError, match=r"^unknown layout 'x'; there are none$"):
        check_name("layout", "x", ())
