"""How property tests run here."""

from __future__ import annotations

from hypothesis import settings

# Machines that run other things too are slow at times: time limits are the test runner's business.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
