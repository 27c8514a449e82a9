"""Run everything again elsewhere and compare, byte for byte: `make verify`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from ruamel.yaml import YAML

from sentiment import console, git, paths, workspace
from sentiment.data import download, imdb
from sentiment.errors import UserError


def main() -> None:
    if not Path("dvc.lock").exists():
        raise UserError("dvc.lock is not there: run `make repro` first")
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        workspace.copy(Path(), clone, {})
        rerun(clone)
        difference = first_difference(Path("dvc.lock"), clone / "dvc.lock")
        if difference is None:
            print("identical: every output of every stage, and the metrics")
            return
        print(f"different, and first of all: {difference}")
        report_metrics(Path(paths.COMPARISON), clone / paths.COMPARISON)
        sys.exit(1)


def rerun(clone: Path) -> None:
    """Run all stages in a copy of the project."""
    command = [sys.executable, "-m", "dvc", "repro", "--force"]
    if subprocess.run(command, cwd=clone, env=environment()).returncode:
        raise UserError("the rerun failed: see above")


def environment() -> dict[str, str]:
    """Return the environment for a copy: store and kernels of its own, our mirror."""
    variables = git.isolated_environment()
    for name in ("MLFLOW_TRACKING_URI", "NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES"):
        variables.pop(name, None)
    mirror = Path(download.MIRROR).resolve()
    if (mirror / imdb.ARCHIVE).exists():
        variables.setdefault("IMDB_MIRROR", str(mirror))
    return variables


def first_difference(ours: Path, theirs: Path) -> str | None:
    """Return the first output, in the order of the stages, whose content differs; None: none."""
    here, there = (YAML(typ="safe").load(path)["stages"] for path in (ours, theirs))
    for stage, entry in here.items():
        rerun = {out["path"]: out["md5"] for out in there.get(stage, {}).get("outs", [])}
        for out in entry["outs"]:
            if out["md5"] != rerun.get(out["path"]):
                return f"stage {stage}, file {out['path']}"
    return None


def report_metrics(ours: Path, theirs: Path) -> None:
    """Print how far apart the metrics of two runs are, the farthest first."""
    here, there = (
        pd.json_normalize(json.loads(path.read_bytes())).iloc[0] for path in (ours, theirs)
    )
    here, there = here.align(there, join="inner")
    distance = (pd.to_numeric(there, "coerce") - pd.to_numeric(here, "coerce")).dropna()
    print("How far apart the metrics are (another processor may round otherwise):")
    for name in distance.abs().sort_values(ascending=False).index[:10]:
        print(f"  {name:<60} {here[name]:>10.6g} {there[name]:>10.6g} {distance[name]:>+10.2g}")


if __name__ == "__main__":
    console.run(main)
