"""The versions of the packages that compute results: inputs of the stages, like code and data."""

from importlib.metadata import version

# What computes: a package that only watches, such as mlflow, changes no result.
PACKAGES = {
    "data": ("icu4py", "numpy", "pandas", "pyarrow"),
    "bags": ("icu4py", "numpy", "pandas", "scikit-learn", "scipy", "skops"),
    "rnn": ("keras", "llvmlite", "numba", "numpy", "scikit-learn", "scipy", "tensorflow"),
    "report": ("jinja2", "matplotlib", "pandas", "pillow", "plotnine", "scikit-misc"),
}


def versions(group: str) -> dict[str, str]:
    """Return the installed version of each package of a group of `PACKAGES`."""
    return {package: version(package) for package in PACKAGES[group]}
