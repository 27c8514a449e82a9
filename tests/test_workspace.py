import subprocess

import pytest
from conftest import PROJECT

from sentiment import params, workspace
from sentiment.errors import UserError


def git(folder, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path):
    """A small project in Git, with results and with files that Git ignores."""
    root = tmp_path / "project"
    contents = {
        ".gitignore": "ignored/\n",
        "dvc.lock": "results",
        "data/metrics.json": "results",
        "ignored/store": "runs",
        "stages/train.py": "as committed",
        "gone.py": "",
        "a name with spaces é.txt": "",
        "params.yaml": (PROJECT / "params.yaml").read_text(),
    }
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    (root / "stages/train.py").write_text("as it is now")
    (root / "stages/new.py").write_text("untracked")
    (root / "gone.py").unlink()
    return root


def test_a_copy_is_the_working_tree_without_results(project, tmp_path):
    workspace.copy(project, tmp_path / "copy", {})
    files = git(tmp_path / "copy", "-c", "core.quotepath=off", "ls-files").splitlines()
    assert sorted(files) == [
        ".gitignore",
        "a name with spaces é.txt",
        "params.yaml",
        "stages/new.py",
        "stages/train.py",
    ]
    assert (tmp_path / "copy/stages/train.py").read_text() == "as it is now"
    assert git(tmp_path / "copy", "status", "--porcelain") == ""
    assert not (tmp_path / "copy/ignored").exists()


def test_a_copy_has_other_parameters(project, tmp_path):
    before = (project / "params.yaml").read_bytes()
    workspace.copy(project, tmp_path / "copy", {"train.units": 7, "fetch.source": "sample"})
    settings = params.read(tmp_path / "copy/params.yaml")
    assert (settings.train.units, settings.fetch.source) == (7, "sample")
    assert (project / "params.yaml").read_bytes() == before


def test_an_unknown_parameter_is_told(project, tmp_path):
    with pytest.raises(UserError, match=r"train\.unit is not a parameter"):
        workspace.copy(project, tmp_path / "copy", {"train.unit": 7})
