"""What the server refuses."""

from __future__ import annotations

from moviola.core.errors import InputError


class RequestError(InputError):
    """A request that is refused, told to the page in one line.

    Args:
        message: what is wrong, and what would be right.
        status: of HTTP, 400 to 499.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
