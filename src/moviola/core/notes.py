"""What a person should know of an input that could be used all the same."""

from __future__ import annotations

import warnings


class Note(UserWarning):
    """A file that is not as it should be, and what was made of it.

    In Python it is a warning like any other (`warnings.filterwarnings("error", category=Note)` makes it an error); on
    the command line it is one line on stderr, `moviola: note: ...`, once a text.
    """


def note(text: str) -> None:
    """Tell a person `text`: which file, what is odd about it, and what was done.

    Args:
        text: one line, naming the file first.
    """
    warnings.warn(text, Note, stacklevel=3)
