"""Talking to the payment provider, which is not always there."""

from __future__ import annotations

import functools
import hashlib
import hmac
import random
import time
from collections.abc import Callable
from typing import Any


def with_backoff(attempts: int, base_seconds: float) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Call again after a ConnectionError, waiting twice as long each time, with some jitter."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def calling(*args: Any, **kwargs: Any) -> Any:
            for attempt in range(attempts):
                try:
                    return function(*args, **kwargs)
                except ConnectionError:
                    if attempt == attempts - 1:
                        raise
                    time.sleep(base_seconds * 2**attempt * random.uniform(0.5, 1.0))
            return None

        return calling

    return decorate


def verify_webhook(body: bytes, signature: str, secret: bytes) -> bool:
    """Whether a notification really comes from the provider."""
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)
