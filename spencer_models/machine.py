"""What a run computes on: the device, and the precision of its matrix products. The same code runs on both kinds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

PRECISIONS = ("auto", "float32", "bfloat16")

# More than these make batches faster than any one GPU learns from them.
_MOST_WORKERS = 16


@dataclass(frozen=True, slots=True)
class Machine:
    """`precision` is "float32" or "bfloat16"; weights and everything outside the layers stay float32 in both.

    `workers` processes make batches ready (0: a thread does).
    """

    device: torch.device
    precision: str
    workers: int = 0

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which models run forward."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def features(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """`features` on the device."""
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in features.items()}

    def rng_state(self) -> dict[str, Tensor]:
        """The state of every random generator that a model draws dropout masks from."""
        states = {"cpu": torch.get_rng_state()}
        return states | {"cuda": torch.cuda.get_rng_state(self.device)} if self.device.type == "cuda" else states

    def set_rng_state(self, states: dict[str, Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        # A run that began on a CPU has no state of a GPU.
        if self.device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self.device)

    def describe(self) -> str:
        """One line for the record of a run."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else _processor_name()
        return f"{name}, {torch.get_num_threads()} threads, {self.precision}"


def find_machine(precision: str = "auto") -> Machine:
    """The GPU where there is one, else the CPU; "auto" is bfloat16 where the device computes with it, else float32."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision == "auto":
        fast = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else _cpu_has_bfloat16()
        precision = "bfloat16" if fast else "float32"
    if device.type == "cuda" and precision == "bfloat16":
        # What stays float32 outside the layers is compared by cosines: TF32's three digits are enough there.
        torch.set_float32_matmul_precision("high")
    # A GPU learns faster than one process reads. Only Linux forks one that has all of the examples already.
    if device.type == "cuda" and sys.platform == "linux":
        return Machine(device, precision, min(_MOST_WORKERS, max(0, len(os.sched_getaffinity(0)) - 2)))
    return Machine(device, precision)


def _cpu_has_bfloat16() -> bool:
    """Whether products in bfloat16 are faster than in float32: by AMX, or by AVX-512 on AMD.

    Intel's AVX-512 alone has no more of them in a cycle, and the conversions on top: two thirds of float32's speed.
    """
    flags = _cpu_lines("flags").split()
    return "amx_bf16" in flags or ("avx512_bf16" in flags and _cpu_lines("vendor_id") == "AuthenticAMD")


def _processor_name() -> str:
    return next(iter(_cpu_lines("model name").splitlines()), "CPU")


def _cpu_lines(key: str) -> str:
    """What Linux says of the first processor under `key`; "" elsewhere."""
    path = Path("/proc/cpuinfo")
    lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
