"""Every command of the documents, run as a person would, in a copy of the project."""

import re
from pathlib import Path

import pandas as pd
import pytest
import requests
from conftest import Copy, serving

from sentiment import paths
from sentiment.models import SAVED

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{p.name}" for p in Path("docs").glob("*.md")),
]
OWN = "docs/your-own-reviews.md"
SHARING = "docs/sharing.md"
ONE_BY_ONE = (OWN, SHARING)  # each command is run for itself, and what it does is looked at
# Servers, and what would run these very tests: the file that runs the command instead, or the test.
ELSEWHERE = {
    "make repro": ".ci/run",
    "make test": ".ci/run",
    "make lint": ".ci/run",
    "make test-slow": ".ci/run",
    "make verify": "tests/test_reliability.py::test_a_rerun_elsewhere_is_identical",
    "make report": "tests/test_makefile.py::test_every_command_is_the_environment_s_own",
    "make ui": "tests/tracking/test_ui.py::test_the_runs_are_seen_in_a_browser",
    "export MLFLOW_TRACKING_URI=http://127.0.0.1:5001": (
        "tests/tracking/test_runs.py::test_a_server_that_is_lost_in_training_costs_nothing"
    ),
    "make recipe": (
        "tests/scripts/test_recipes.py::test_a_small_gru_runs_as_an_experiment_and_is_recorded"
    ),
    "dvc exp apply": (
        "tests/scripts/test_recipes.py::test_a_small_gru_runs_as_an_experiment_and_is_recorded"
    ),
    "dvc exp run -S pad.validation=films": (  # the sample has no films
        "tests/stages/test_films.py::test_all_later_stages_validate_with_scattered_reviews"
    ),
    "make sweep": "tests/distributed/test_tuning.py::test_a_search_that_was_killed_goes_on",
    "ray start": (
        "tests/distributed/test_tuning.py::test_a_cluster_that_loses_a_node_gives_the_same"
    ),
    "export RAY_ADDRESS=HEAD:6379": (
        "tests/distributed/test_scoring.py::test_a_cluster_that_loses_a_node_gives_the_same_bytes"
    ),
    "dvc queue start": (
        "tests/tracking/test_runs.py::test_every_kind_of_experiment_lands_in_the_store"
    ),
    "mlflow server": (
        "tests/tracking/test_runs.py::test_a_server_that_is_lost_in_training_costs_nothing"
    ),
    "mlflow models serve": "tests/tracking/test_serving.py::test_a_model_answers_over_http",
    "curl http://127.0.0.1:5002/invocations": (
        "tests/tracking/test_serving.py::test_a_model_answers_over_http"
    ),
}
FILES = {"review.txt": "Superb, and never dull.\n", "reviews.csv": "text\nNot bad at all.\n"}
LONGEST = "600"  # seconds; a server would never end


def commands(document: str) -> list[str]:
    """Return the commands of a document's console blocks, without comments."""
    blocks = re.findall(r"```console\n(.*?)```", Path(document).read_text(), re.DOTALL)
    here_document = r".* <<'END'\n(?s:.*?)\nEND$"
    found = re.findall(rf"^\$ ({here_document}|(?:.*\\\n)*.*)", "\n".join(blocks), re.MULTILINE)
    return [re.sub(r"\s+#.*$", "", command) for command in found]


def elsewhere(command: str) -> str | None:
    """Return what else runs a command: the command itself is named, or what it begins with."""
    return next(
        (by for start, by in ELSEWHERE.items() if f"{command} ".startswith(f"{start} ")), None
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_run_elsewhere_is(document):
    for command in commands(document):
        if by := elsewhere(command):
            path, _, test = by.partition("::")
            text = Path(path).read_text()
            assert f"def {test}(" in text if test else command in text, command


def test_nothing_is_excepted_that_no_document_has():
    written = [f"{command} " for document in DOCUMENTS for command in commands(document)]
    for start in ELSEWHERE:
        assert any(command.startswith(f"{start} ") for command in written), start


RUN_HERE = [d for d in DOCUMENTS if d not in ONE_BY_ONE and not all(map(elsewhere, commands(d)))]


@pytest.mark.slow
@pytest.mark.parametrize("document", RUN_HERE)
def test_every_command_runs(project, document):
    project.install()
    for name, content in FILES.items():
        (project.root / name).write_text(content)
    texts = pd.DataFrame({"text": [FILES["review.txt"]]})
    (project.root / "texts").mkdir()
    texts.to_parquet(project.root / "texts/one.parquet")
    for command in commands(document):
        if not elsewhere(command):
            on_sample = command.replace("models:/sentiment@", "models:/sentiment-sample@")
            script = f"set -euo pipefail\n{on_sample}"
            project.run("timeout", LONGEST, "bash", "-c", script, BROWSER="true")


@pytest.mark.slow
def test_reviews_of_ones_own_go_from_a_file_to_a_report(project):
    make, repro, ask, change, status, spoil, refused = commands(OWN)

    def run(command: str) -> str:
        return project.run("bash", "-c", command).stdout

    run(make)
    assert "labels: 'neg' is negative, 'pos' is positive" in run(repro)
    expected = {
        "read": 648,
        "dropped_from_training": 0,
        "train": {"reviews": 518, "positive": 259},
        "test": {"reviews": 130, "positive": 65},
    }
    assert project.details["counts"].items() >= expected.items()
    report = (project.root / "data/report/index.html").read_text()
    assert "<code>reviews/restaurants.csv</code>" in report
    assert re.search(r"^bag_of_ngrams +positive", run(ask), re.MULTILINE)

    assert run(status) == "Data and pipelines are up to date.\n"
    run(change)
    assert re.search(r"modified: +reviews", run(status))
    before = (project.root / "data/raw/reviews.parquet").read_bytes()
    run(spoil)
    told = run(refused)
    assert "reviews/restaurants.csv, line 651: 'mixed' is a third label" in told
    assert told.endswith("No harm done.\n")
    assert (project.root / "data/raw/reviews.parquet").read_bytes() == before


@pytest.fixture
def origin(project, tmp_path) -> Path:
    """The Git repository that the project was cloned from."""
    bare = tmp_path / "origin.git"
    project.run("git", "clone", "--quiet", "--bare", str(project.root), str(bare))
    project.run("git", "remote", "add", "origin", str(bare))
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        project.run("git", "config", name, value)
    return bare


def give(copy: Copy, *given: str) -> str:
    """Return what commands print in a copy."""
    return "".join(copy.run("bash", "-c", command, BROWSER="true").stdout for command in given)


def clone(origin: Path, command: str) -> Copy:
    """Return a clone made by a command, with an environment."""
    give(Copy(origin.parent), command.replace("ADDRESS", str(origin)))
    cloned = Copy(origin.parent / "sentiment")
    cloned.install()
    return cloned


def assert_pulled(cloned: Copy, project: Copy, printed: str) -> None:
    """Assert that a clone has all that another one has, and that nothing ran there."""
    assert "Running stage" not in printed
    assert cloned.dvc("status") == "Data and pipelines are up to date.\n"
    for path in (paths.REPORT, *(model.path for model in SAVED.values())):
        assert (cloned.root / path).read_bytes() == (project.root / path).read_bytes(), path


def test_results_in_a_folder_are_pulled_instead_of_computed(project, origin, tmp_path):
    add, *push, cloning, pull, report, _, _, _, _ = commands(SHARING)
    give(project, add.replace("/mnt/results", str(tmp_path / "results")), *push)
    cloned = clone(origin, cloning)
    assert not (cloned.root / paths.REPORT).exists()
    assert_pulled(cloned, project, give(cloned, pull, report))


@pytest.mark.slow
def test_results_in_a_bucket_are_pulled_and_its_keys_are_not(project, origin):
    _, *push, cloning, pull, report, add, endpoint, key, secret = commands(SHARING)
    with serving(project, "moto.server", health="/moto-api/") as address:
        assert requests.put(f"{address}/results", timeout=60).ok
        at = endpoint.replace("http://127.0.0.1:9000", address)
        give(project, add, at, key, secret, *push)
        cloned = clone(origin, cloning)
        assert "SECRET" not in (cloned.root / ".dvc/config").read_text()
        assert_pulled(cloned, project, give(cloned, key, secret, pull, report))
