from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Threads only wait for each other on models this small."""
    torch.set_num_threads(1)
