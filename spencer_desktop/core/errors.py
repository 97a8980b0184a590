"""The two kinds of failure a user can do something about. Everything else is a bug and may crash loudly."""

from __future__ import annotations


class SpencerError(Exception):
    """A failure with words for the user: what happened, and `hint`, what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UserError(SpencerError):
    """The request cannot be met as it stands: a wrong path, an unknown language, a damaged model pack."""


class EnvironmentFault(SpencerError):
    """The machine is in the way: disk full, folder read-only, another process holds the index."""
