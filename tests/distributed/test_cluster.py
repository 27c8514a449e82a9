"""The stage pad, on a cluster of two nodes."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from conftest import wait_for

from sentiment.distributed import cluster as ray_cluster
from sentiment.errors import UserError


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


def ray_in(folder: Path) -> bool:
    """Whether Ray's sockets have short enough paths below a folder, and can be made."""
    path = folder / Path(ray_cluster.SOCKET).relative_to("ray-12345678")
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    return len(str(path)) <= ray_cluster.SOCKET_LIMIT


@pytest.mark.parametrize("length", [10, 20, 52, 200])
def test_ray_s_temporary_folder_has_room_for_its_sockets(monkeypatch, length):
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as short:
        long = Path(short, "x" * max(1, length - len(short) - 1))
        long.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(long))
        with ray_cluster.temporary_folder() as folder:
            assert Path(folder).is_relative_to(long) == (length <= 20)
            assert ray_in(Path(folder))


def test_where_no_short_folder_can_be_written_to_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_cluster.os, "access", lambda path, mode: str(path) == str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", f"{tmp_path}/{'x' * 60}")
    with pytest.raises(UserError, match="too long a path for Ray's sockets: set TMPDIR"):
        ray_cluster.temporary_folder()


@pytest.mark.slow
def test_more_processors_than_there_are_are_told(project):
    pytest.importorskip("ray", reason="Ray is not installed: `make ray`")
    path = project.root / "sweeps/greedy.yaml"
    path.write_text("grid: {train.seed: [1, 2]}\ncpus: 1000\n")
    said = project.python("-m", "scripts.sweep", "greedy", code=1)
    assert "error: each trial asks for 1000 processors, and the largest machine has " in said
    assert "Traceback" not in said
    assert not (project.root / "data/sweeps/greedy/trials.csv").exists()
