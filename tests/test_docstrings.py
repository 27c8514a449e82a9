"""The examples in docstrings are run, and their results are those shown."""

import doctest
import importlib
from pathlib import Path

import pytest

import sentiment

ROOT = Path(sentiment.__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted(Path(sentiment.__file__).parent.rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
