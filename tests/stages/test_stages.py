"""Stage scripts: what they import, and that each runs by itself."""

import ast
import re
from pathlib import Path

import pytest
from conftest import PROJECT
from ruamel.yaml import YAML

from sentiment import paths
from sentiment.models import SAVED

STAGES = YAML(typ="safe").load(PROJECT / "dvc.yaml")["stages"]
# Code that changes no output. DVC compares the values of parameters and the contents of files
# itself; the others watch, or write to the terminal.
WATCHING = {
    "sentiment/console.py",
    "sentiment/errors.py",
    "sentiment/params.py",
    "sentiment/paths.py",
    "sentiment/tracking/",
    "stages/__init__.py",
}


def outs(stage: dict) -> list[str]:
    written = stage["outs"] + stage.get("metrics", [])
    return [out if isinstance(out, str) else next(iter(out)) for out in written]


MADE = {path for stage in STAGES.values() for path in outs(stage)}


def listed(name: str) -> list[str]:
    """Return the paths of a name in `sentiment.paths`."""
    value = getattr(paths, name)
    return list(value.values()) if isinstance(value, dict) else [value]


def imported(file: Path) -> set[Path]:
    """Return the project's modules that a file imports itself, within functions too."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    found = [Path(*name.split(".")) for name in names]
    files = [p for path in found for p in (path.with_suffix(".py"), path / "__init__.py")]
    return {path for path in files if (PROJECT / path).is_file()}


def computing(file: Path) -> set[Path]:
    """Return a file and all that it imports, directly or not, but for what only watches."""
    reached, ahead = set(), {file}
    while ahead:
        reached |= ahead
        found = {found for path in ahead for found in imported(PROJECT / path)} - reached
        ahead = {path for path in found if not any(path.as_posix().startswith(w) for w in WATCHING)}
    return reached


def covers(dep: str, path: Path) -> bool:
    return path == Path(dep) or Path(dep) in path.parents


@pytest.mark.parametrize("stage", STAGES)
def test_deps_cover_every_import_that_can_change_an_output(stage):
    code = [dep for dep in STAGES[stage]["deps"] if dep.startswith(("sentiment", "stages"))]
    needed = computing(Path("stages", f"{stage}.py"))
    empty = {path for path in needed if path.name == "__init__.py" and path.parent.parent.name}
    missing = {str(p) for p in needed - empty if not any(covers(dep, p) for dep in code)}
    assert not missing
    assert not [dep for dep in code if not any(covers(dep, path) for path in needed)]


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_stage_names_is_a_dep_or_an_output(stage):
    source = Path(PROJECT, f"stages/{stage}.py").read_text()
    known = {*STAGES[stage]["deps"], *outs(STAGES[stage])}
    for name in re.findall(r"paths\.([A-Z_]+)", source):
        made = {*listed(name)} & MADE
        assert not made or made & known, name


def test_every_path_is_an_output_of_the_pipeline():
    named = {path for name in vars(paths) if name.isupper() for path in listed(name)}
    temporary = {paths.PADDED, paths.SWEEPS, paths.CHECKPOINT, paths.REFIT_CHECKPOINT}
    within = {paths.CANDIDATES, paths.SEEDS_HISTORY}
    assert named - temporary - within <= MADE


def test_the_models_are_outputs_and_are_compared():
    files = {file for model in SAVED.values() for file in (model.path, model.validation) if file}
    assert files <= MADE & {*STAGES["evaluate"]["deps"]}


def test_a_stage_fits_on_a_screen():
    lines = {path.name: len(path.read_text().splitlines()) for path in Path("stages").glob("*.py")}
    assert {name: length for name, length in lines.items() if length > 80} == {}


def test_only_training_imports_tensorflow(finished):
    printed = finished.root.with_name("sample.log").read_text()
    _, *runs = re.split(r"Running stage '(\w+)':", printed)
    imports = {stage: run for stage, run in zip(runs[::2], runs[1::2], strict=True)}
    assert [*imports] == [*STAGES]
    assert all("sentiment.console" in run for run in imports.values())
    # The module that imports it for all others hushes it, and Python's note of it too.
    with_it = re.compile(r"\| +(tensorflow|keras|sentiment\.rnn\.backend)$", re.MULTILINE)
    assert [stage for stage, run in imports.items() if with_it.search(run)] == ["train"]


@pytest.mark.parametrize(
    "stage",
    [
        "fetch",
        *(pytest.param(stage, marks=pytest.mark.slow) for stage in STAGES if stage != "fetch"),
    ],
)
def test_a_stage_runs_as_a_script(project, stage):
    project.python(f"stages/{stage}.py")
