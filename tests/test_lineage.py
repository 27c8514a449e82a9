import hashlib
import json
import subprocess

import pytest
from ruamel.yaml import YAML

from sentiment import lineage
from sentiment.errors import UserError
from sentiment.tracking import repository

DVC_YAML = """
stages:
  train:
    cmd: python -m stages.train
    params: [seed, pad.maxlen, train]
    deps: [stages/train.py, data/x.npy]
    outs:
      - data/model.keras: {persist: true}
      - data/history.csv
    metrics:
      - data/metrics.json: {cache: false}
"""
PARAMS = """
seed: 42
pad: {maxlen: 500, padding: pre}
train: {units: 28, optimizer: {name: rmsprop, rate: 1e-3}}
"""
FILES = {
    "dvc.yaml": DVC_YAML,
    "params.yaml": PARAMS,
    "stages/train.py": "print('training')\n",
    "data/x.npy": "rows",
    "data/model.keras": "weights",
    "data/history.csv": "epoch,loss\n",
    "data/metrics.json": "{}",
}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project of one stage, in which the test stands."""
    for name, content in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def md5(name: str) -> str:
    return hashlib.md5(FILES[name].encode()).hexdigest()


def git(*arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    finished = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return finished.stdout.strip()


def test_a_stages_lineage_is_its_parameters_and_files():
    assert lineage.of_stage("train") == lineage.Lineage(
        params={
            "seed": 42,
            "pad.maxlen": 500,
            "train.units": 28,
            "train.optimizer.name": "rmsprop",
            "train.optimizer.rate": 0.001,
        },
        deps={name: md5(name) for name in ("stages/train.py", "data/x.npy")},
        outs={
            name: md5(name)
            for name in ("data/model.keras", "data/history.csv", "data/metrics.json")
        },
    )


def test_the_md5_is_that_of_the_bytes(project):
    (project / "crlf").write_bytes(b"a\r\n")
    assert lineage.md5("crlf") == hashlib.md5(b"a\r\n").hexdigest()


def test_only_a_file_that_has_changed_is_hashed_again(project, monkeypatch):
    hashed = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashlib, "file_digest", lambda file, name: hashed.append(file.name) or digest(file, name)
    )
    lineage.of_stage("train")
    assert "data/x.npy" in hashed and "stages/train.py" in hashed
    hashed.clear()
    (project / "data/x.npy").write_text("other rows")
    now = lineage.of_stage("train")
    assert hashed == ["data/x.npy"]
    assert now.deps["data/x.npy"] == hashlib.md5(b"other rows").hexdigest()


def test_the_md5_of_a_folder_is_the_one_that_dvc_records(finished, project, monkeypatch):
    monkeypatch.chdir(finished.root)
    lock = YAML(typ="safe").load(finished.root / "dvc.lock")["stages"]
    recorded = {out["path"]: out["md5"] for out in lock["train"]["outs"]}
    assert recorded["data/rnn/seeds"].endswith(".dir")
    assert lineage.of_stage("train").outs == recorded


def test_the_md5_of_a_folder_is_that_of_all_files_below_it(project):
    (project / "data/seeds/43").mkdir(parents=True)
    (project / "data/seeds/43/model").write_text("weights")
    one = lineage.md5("data/seeds")
    (project / "data/seeds/44").mkdir()
    assert lineage.md5("data/seeds") == one
    (project / "data/seeds/44/model").write_text("weights")
    assert lineage.md5("data/seeds") != one


def test_a_file_that_is_not_there_is_told(project):
    (project / "data/history.csv").unlink()
    made = lineage.of_stage("train")
    assert made.outs["data/history.csv"] is None
    with pytest.raises(UserError, match=r"missing: data/history.csv\. `make repro` makes"):
        made.require_outputs()


def write_lock(project, outs: dict[str, str]) -> None:
    train = {
        "params": {"params.yaml": {"seed": 42, "train": {"units": 20}}},
        "deps": [{"path": "data/x.npy", "md5": "of before"}],
        "outs": [{"path": path, "md5": md5} for path, md5 in outs.items()],
    }
    (project / "dvc.lock").write_text(json.dumps({"stages": {"train": train}}))


def test_the_lock_says_what_the_present_files_were_made_from(project):
    outs = lineage.of_stage("train").outs
    write_lock(project, outs)
    params = {"seed": 42, "train.units": 20}
    assert lineage.recorded("train") == lineage.Lineage(params, {"data/x.npy": "of before"}, outs)


def test_a_lock_of_other_files_says_nothing(project):
    assert lineage.recorded("train") == lineage.of_stage("train")
    write_lock(project, lineage.of_stage("train").outs | {"data/model.keras": "other"})
    assert lineage.recorded("train") == lineage.of_stage("train")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("params.yaml", PARAMS.replace("units: 28", "units: 29")),
        ("params.yaml", PARAMS.replace("seed: 42", "seed: 43")),
        ("stages/train.py", "print('training otherwise')"),
        ("data/x.npy", "other rows"),
    ],
)
def test_another_input_is_another_lineage(project, name, changed):
    before = lineage.of_stage("train")
    (project / name).write_text(changed)
    after = lineage.of_stage("train")
    assert after.inputs != before.inputs
    assert after.outputs == before.outputs


@pytest.mark.parametrize("name", ["data/model.keras", "data/history.csv", "data/metrics.json"])
def test_another_output_is_another_result_of_the_same_inputs(project, name):
    before = lineage.of_stage("train")
    (project / name).write_text("other")
    after = lineage.of_stage("train")
    assert after.inputs == before.inputs
    assert after.outputs != before.outputs


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("params.yaml", PARAMS.replace("padding: pre", "padding: post")),  # not this stage's
        ("params.yaml", PARAMS.replace("28, opt", "28,  # the state\n  opt")),
        (
            "dvc.yaml",
            DVC_YAML.replace(
                "deps: [stages/train.py, data/x.npy]", "deps: [data/x.npy, stages/train.py]"
            ),
        ),
    ],
)
def test_what_does_not_matter_changes_nothing(project, name, changed):
    before = lineage.of_stage("train")
    (project / name).write_text(changed)
    assert lineage.of_stage("train").inputs == before.inputs
    assert changed != FILES[name]


def test_without_git_there_is_no_state():
    assert repository.state() == {}


def test_without_a_commit_there_is_no_state():
    git("init", "--quiet")
    assert repository.state() == {}


def test_the_commit_and_whether_the_tree_differs(project):
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "All")
    assert repository.state() == {"git.commit": git("rev-parse", "HEAD"), "git.dirty": "False"}
    (project / "untracked").write_text("nothing to do with it")
    assert repository.state()["git.dirty"] == "False"
    (project / "data/metrics.json").write_text("results of this very run")
    assert repository.state()["git.dirty"] == "False"
    (project / "params.yaml").write_text("seed: 1\n")
    assert repository.state()["git.dirty"] == "True"


def test_the_name_of_an_experiment(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "wooly-lamb")
    assert repository.state() == {"dvc.experiment": "wooly-lamb"}


def test_the_commit_is_that_of_the_project_whatever_a_hook_has_set(project, tmp_path, monkeypatch):
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "All")
    ours = git("rev-parse", "HEAD")
    git("init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(project / "other/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(project / "other/.git/index"))
    assert repository.state() == {"git.commit": ours, "git.dirty": "False"}


def test_a_repository_around_the_project_says_nothing_of_it(project, monkeypatch):
    (project / "notes").touch()
    git("init", "--quiet")
    git("add", "notes")
    git("commit", "--quiet", "--message", "Notes")
    assert repository.state() == {}
