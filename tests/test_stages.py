"""Stage scripts: what they import, and that each runs by itself."""

import ast
import re
from pathlib import Path

import pytest
from conftest import PROJECT
from ruamel.yaml import YAML

from sentiment import paths

STAGES = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]


def outs(stage: dict) -> list[str]:
    return [next(iter(out)) for out in stage["outs"] + stage.get("metrics", [])]


MADE = {path for stage in STAGES.values() for path in outs(stage)}


def imported(file: Path) -> set[Path]:
    """Return the project's modules that a file imports itself, within functions too."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    paths = [Path(*name.split(".")) for name in names]
    files = [p for path in paths for p in (path.with_suffix(".py"), path / "__init__.py")]
    return {path for path in files if (PROJECT / path).is_file()}


def imported_through(file: Path) -> set[Path]:
    """Return a file and all of the project's modules that it imports, directly or not."""
    reached, ahead = set(), {file}
    while ahead:
        reached |= ahead
        ahead = {found for path in ahead for found in imported(PROJECT / path)} - reached
    return reached


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_the_modules_that_a_stage_imports(stage):
    code = {Path(path) for path in STAGES[stage]["deps"] if path.endswith(".py")}
    package = Path("stages/__init__.py")
    assert code == {package} | imported_through(Path("stages", f"{stage}.py"))


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_stage_names_is_a_dep_or_an_output(stage):
    named = set(re.findall(r'"(data/[^"{]+)"', Path(PROJECT, f"stages/{stage}.py").read_text()))
    assert named & MADE <= {*STAGES[stage]["deps"], *outs(STAGES[stage])}


def test_the_models_that_are_asked_are_outputs_and_are_compared():
    named = {*paths.MODELS.values(), paths.ENCODER, *paths.VALIDATION.values()}
    assert named <= MADE & {*STAGES["evaluate"]["deps"]}


@pytest.mark.parametrize("stage", ["fetch", "pad", "baseline", "plot"])
def test_a_stage_that_needs_no_tensorflow_runs_as_a_script_without_it(project, stage):
    (project.root / "mlflow.db").unlink()  # so that it logs, and imports what that needs
    output = project.python("-X", "importtime", f"stages/{stage}.py")
    assert "sentiment.console" in output
    assert not re.search(r"\| +(tensorflow|keras)$", output, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train", "evaluate"])
def test_a_stage_with_tensorflow_runs_as_a_script(project, stage):
    project.python(f"stages/{stage}.py")
