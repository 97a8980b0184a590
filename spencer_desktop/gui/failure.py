"""What went wrong, as every view shows it. No Qt."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from spencer_desktop.core.errors import SpencerError


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong in words, what to do about it, and for a bug its traceback (else "")."""

    message: str
    hint: str
    details: str

    @property
    def words(self) -> str:
        """What went wrong and what to do, in one line."""
        return " ".join(filter(None, (self.message, self.hint)))

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        if isinstance(error, SpencerError):
            return cls(str(error), error.hint, "")
        return cls(str(error) or type(error).__name__, "", "".join(traceback.format_exception(error)))
