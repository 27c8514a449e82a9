"""What results depend on beside code and data: versions of packages, and the machine."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

# What computes: a package that only watches, such as mlflow, changes no result.
PACKAGES = {
    "data": ("icu4py", "numpy", "pandas", "pyarrow"),
    "bags": ("icu4py", "llvmlite", "numba", "numpy", "pandas", "scikit-learn", "scipy", "skops"),
    "rnn": ("keras", "llvmlite", "numba", "numpy", "scikit-learn", "scipy", "tensorflow"),
    "report": ("jinja2", "matplotlib", "pandas", "pillow", "plotnine", "scikit-misc"),
}


def versions(group: str) -> dict[str, str]:
    """Return the installed version of each package of a group of `PACKAGES`."""
    return {package: version(package) for package in PACKAGES[group]}


def machine() -> str:
    """Return how many cores this process may use, and the processor's name, if it is known."""
    info = Path("/proc/cpuinfo")  # of Linux
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    known = hasattr(os, "sched_getaffinity")
    return f"{len(os.sched_getaffinity(0)) if known else os.cpu_count()} cores, {name}"
