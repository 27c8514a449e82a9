"""What a result was made from: a stage's parameters and files, and the state of the repository."""

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from ruamel.yaml import YAML


@dataclass(frozen=True)
class Lineage:
    """A stage's parameters by dotted key, and the MD5 of its files by path, as in dvc.lock."""

    params: dict[str, object]
    deps: dict[str, str]
    outs: dict[str, str]

    @property
    def inputs(self) -> str:
        """The SHA-256 of what the result is made from."""
        return _digest([self.params, self.deps])

    @property
    def outputs(self) -> str:
        """The SHA-256 of the result."""
        return _digest(self.outs)


def of_stage(stage: str) -> Lineage:
    """Return the present lineage of a stage of dvc.yaml; files that are not there are left out."""
    entry = _yaml("dvc.yaml")["stages"][stage]
    values = _yaml("params.yaml")
    keys = {
        key: reduce(lambda section, name: section[name], key.split("."), values)
        for key in entry.get("params", [])
    }
    written = entry["outs"] + entry.get("metrics", [])
    outs = [out if isinstance(out, str) else next(iter(out)) for out in written]
    return Lineage(_flatten(keys), _present(entry["deps"]), _present(outs))


def _yaml(path: str) -> dict:
    return YAML(typ="safe").load(Path(path))


def _flatten(values: dict, prefix: str = "") -> dict[str, object]:
    flat = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= _flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def md5(path: Path | str) -> str:
    """Return the hexadecimal MD5 of a file, by which DVC knows it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _present(paths: list[str]) -> dict[str, str]:
    return {path: md5(path) for path in paths if Path(path).is_file()}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def of_repository() -> dict[str, str]:
    """Return the Git commit, whether the tree differs from it, and the DVC experiment, if any."""
    state = {}
    if experiment := os.environ.get("DVC_EXP_NAME"):
        state["dvc.experiment"] = experiment
    try:
        state["git.commit"] = _git("rev-parse", "HEAD")
        state["git.dirty"] = str(bool(_git("status", "--porcelain", "--untracked-files=no")))
    except (OSError, subprocess.CalledProcessError):
        pass  # no Git, or nothing committed yet
    return state


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
