"""The stage pad, on a cluster of two nodes."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import wait_for


def padded(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "data/padded").iterdir()}


@pytest.mark.slow
def test_a_cluster_that_loses_a_node_pads_to_the_same_bytes(project, cluster):
    reviews = pd.read_parquet(project.root / "data/raw/reviews.parquet")
    many = pd.concat([reviews] * 40)  # so that there is a middle
    many.to_parquet(project.root / "data/raw/reviews.parquet", index=False, row_group_size=200)
    project.python("-m", "stages.pad")
    here = padded(project.root)

    process = subprocess.Popen(
        [sys.executable, "-m", "stages.pad"],
        cwd=project.root,
        env=project.environment(RAY_ADDRESS=cluster.address),
    )
    growing = project.root / "data/padded/.partial-x_train.npy"
    wait_for(lambda: growing.exists() and growing.stat().st_size > 1000, process)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    assert process.poll() is None, "the node was not lost in the middle"
    assert process.wait() == 0
    assert padded(project.root) == here


def test_an_empty_address_is_none(project):
    before = padded(project.root)
    project.python("-m", "stages.pad", RAY_ADDRESS="")
    assert padded(project.root) == before


def test_a_cluster_that_does_not_answer_is_told_and_outputs_stay(project):
    pytest.importorskip("ray", reason="Ray is not installed: `make ray`")
    before = padded(project.root)
    said = project.python("-m", "stages.pad", code=1, RAY_ADDRESS="127.0.0.1:1")
    assert "RAY_ADDRESS: no Ray cluster answers at 127.0.0.1:1" in said
    assert padded(project.root) == before
