"""Numba's cache, which is asked whether any file of this package has changed.

A kernel is compiled from several files: from its own, and from those that emit its instructions and
share out its work. Numba would compare the first alone, and go on with what others were before.
"""

import hashlib
from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator

_FILES = sorted(Path(__file__).parent.glob("*.py"))
DIGEST = hashlib.sha256(b"".join(file.read_bytes() for file in _FILES)).hexdigest()


class Locator(UserProvidedCacheLocator):
    """Finds the folder in NUMBA_CACHE_DIR; `sentiment/__init__.py` has Numba use it."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """Return the folder's name: other sources have another, and copies of these share one."""
        return f"kernels-{DIGEST[:16]}"
