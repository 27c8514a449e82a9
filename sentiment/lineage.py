"""What a result was made from: a stage's parameters and files."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache, reduce
from pathlib import Path

from ruamel.yaml import YAML

from sentiment.errors import UserError

IGNORED = "__pycache__"  # .dvcignore has it too


@dataclass(frozen=True)
class Lineage:
    """A stage's parameters by dotted key, and the MD5 of its files by path, as in dvc.lock."""

    params: dict[str, object]
    deps: dict[str, str | None]
    outs: dict[str, str | None]

    @property
    def inputs(self) -> str:
        """The SHA-256 of what the result is made from."""
        return _digest([self.params, self.deps])

    @property
    def outputs(self) -> str:
        """The SHA-256 of the result."""
        return _digest(self.outs)

    def is_made_from(self, earlier: "Lineage") -> bool:
        """Return whether the files of an earlier stage that this one used are those there now."""
        return all(self.deps.get(path, md5) == md5 for path, md5 in earlier.outs.items())

    def require_outputs(self) -> None:
        """Raise a UserError if a file of the result is missing."""
        if missing := [path for path, md5 in self.outs.items() if md5 is None]:
            raise UserError(f"missing: {', '.join(missing)}. `make repro` makes what is missing")


def recorded(stage: str) -> Lineage:
    """Return the lineage of a stage's files as dvc.lock has it, else as `of_stage` does.

    The inputs may have changed since; dvc.lock records those that the result was made from.
    """
    now = of_stage(stage)
    entry = _yaml("dvc.lock")["stages"].get(stage) if Path("dvc.lock").is_file() else None
    if entry is None:
        return now
    deps, outs = ({file["path"]: file["md5"] for file in entry[key]} for key in ("deps", "outs"))
    params = _flatten(entry["params"]["params.yaml"])
    return Lineage(params, deps, outs) if outs == now.outs else now


def of_stage(stage: str) -> Lineage:
    """Return the lineage of a stage of dvc.yaml, from the parameters and files as they are now.

    The MD5 of a missing file is None.
    """
    entry = _yaml("dvc.yaml")["stages"][stage]
    values = _yaml("params.yaml")
    keys = {
        key: reduce(lambda section, name: section[name], key.split("."), values)
        for key in entry.get("params", [])
    }
    written = entry["outs"] + entry.get("metrics", [])
    outs = [out if isinstance(out, str) else next(iter(out)) for out in written]
    return Lineage(_flatten(keys), _md5s(entry["deps"]), _md5s(outs))


def _yaml(path: str) -> dict:
    return _parse(Path(path).read_text())


@cache
def _parse(yaml: str) -> dict:
    return YAML(typ="safe").load(yaml)


def _flatten(values: dict, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= _flatten(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def md5(path: Path | str) -> str:
    """Return DVC's MD5 of a file, or of a folder by its list of files, in hexadecimal."""
    path = Path(path)
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in path.rglob("*")}
        entries = [
            {"md5": md5(file), "relpath": name}
            for name, file in sorted(files.items())
            if file.is_file() and IGNORED not in file.parts
        ]
        return hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest() + ".dir"
    status = path.stat()
    return _md5(path, (status.st_ino, status.st_mtime_ns, status.st_size))


@cache
def _md5(path: Path, version: tuple[int, int, int]) -> str:
    """Return the MD5 of a file, hashed once for each version, which DVC tells apart likewise."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _md5s(paths: list[str]) -> dict[str, str | None]:
    return {path: md5(path) if Path(path).exists() else None for path in paths}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
