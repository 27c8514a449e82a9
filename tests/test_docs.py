"""Pages in docs/ whose commands are run as they stand, in a copy of the project."""

import re
from pathlib import Path

import pytest
from conftest import PROJECT, Copy

from sentiment import workspace


def commands(page: str) -> list[str]:
    """Return the commands of a page's console blocks, here-documents and all."""
    blocks = re.findall(r"```console\n(.*?)```", Path(page).read_text(), re.DOTALL)
    return [command.strip() for block in blocks for command in re.split(r"^\$ ", block, flags=re.M)]


@pytest.mark.slow
def test_reviews_of_ones_own_go_from_a_file_to_a_report(tmp_path):
    copy = Copy(tmp_path / "project")
    workspace.copy(PROJECT, copy.root, {})
    make, repro, ask, change, status, spoil, refused = filter(
        None, commands("docs/your-own-reviews.md")
    )

    def run(command: str) -> str:
        return copy.run("bash", "-c", command).stdout

    run(make)
    assert "labels: 'neg' is negative, 'pos' is positive" in run(repro)
    assert copy.metrics["counts"] == {
        "read": 648,
        "dropped_from_training": 0,
        "train": {"reviews": 518, "positive": 259},
        "test": {"reviews": 130, "positive": 65},
    }
    report = (copy.root / "data/report/index.html").read_text()
    assert "reviews/restaurants.csv" in report
    assert re.search(r"^baseline +positive", run(ask), re.MULTILINE)

    assert run(status) == "Data and pipelines are up to date.\n"
    run(change)
    assert "reviews" in run(status)
    before = (copy.root / "data/raw/reviews.parquet").read_bytes()
    run(spoil)
    told = run(refused)
    assert "reviews/restaurants.csv, line 651: 'mixed' is a third label" in told
    assert told.endswith("No harm done.\n")
    assert (copy.root / "data/raw/reviews.parquet").read_bytes() == before
