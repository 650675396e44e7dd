"""The machine that a benchmark runs on."""

import platform
from pathlib import Path

from pipeline.features.extraction.device import cores

CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """Returns the number of cores that this process may use, and the processor's name."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    return f"{cores()} cores of {model}"
