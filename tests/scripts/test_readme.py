"""Tests that the README says what was measured, and names only commands that there are."""

import hashlib
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from scripts import readme
from sentiment import paths
from sentiment.errors import UserError

README = Path("README.md").read_text()
MAKEFILE = Path("Makefile").read_text()
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *map(str, sorted(Path("docs").glob("*.md")))]


@pytest.mark.parametrize(
    ("written", "measured"),
    [
        (readme.speed, "benchmarks/results.json"),
        (readme.recipes, "recipes/results.json"),
    ],
)
def test_figures_are_those_of_the_committed_measurement(written, measured):
    assert written(readme.load(measured)) in README


def test_recipes_of_different_tiers_are_in_different_tables():
    results = readme.load("recipes/results.json")
    assert {result["tier"] for result in results.values()} == set(readme.TIERS)
    labelled, of_all = readme.recipes(results).split(f"**{readme.TIERS['all']}**")
    for name, result in results.items():
        row = f"| [{name}]("
        assert (row in labelled, row in of_all) == (
            result["tier"] == "labelled",
            result["tier"] == "all",
        )


def test_results_are_those_of_the_committed_run():
    found = readme.table(readme.load(paths.METRICS), readme.load(paths.COMPARISON))
    assert found in README


def test_a_document_without_the_block_is_told(tmp_path):
    (tmp_path / "page.md").write_text("<!-- speed: written -->\nold\n<!-- /speed -->\n")
    readme.fill(tmp_path / "page.md", "speed", "new\n")
    assert (tmp_path / "page.md").read_text() == ("<!-- speed: written -->\nnew\n<!-- /speed -->\n")
    with pytest.raises(UserError, match=r"page\.md has 0 blocks <!-- times"):
        readme.fill(tmp_path / "page.md", "times", "new\n")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_block_is_empty(document):
    assert not re.findall(r"<!-- (\w+):[^>]*-->\n<!-- /\1 ", Path(document).read_text())


def test_figure_is_that_of_the_committed_run():
    lock = YAML(typ="safe").load(Path("dvc.lock"))
    drawn = {out["path"]: out["md5"] for out in lock["stages"]["plot"]["outs"]}
    shown = hashlib.md5(Path("docs/history.png").read_bytes()).hexdigest()
    assert shown == drawn["data/plots/history.png"]


def test_the_network_explained_is_that_of_the_committed_run():
    lock = YAML(typ="safe").load(Path("dvc.lock"))
    trained = {out["path"]: out["md5"] for out in lock["stages"]["train"]["outs"]}
    path, md5 = re.search(r"`(data/rnn/.*)` (\w+)", Path("docs/recurrence.md").read_text()).groups()
    assert trained[path] == md5


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_exists(document):
    for target in re.findall(r"(?:`|\$ )make ([a-z-]+)", Path(document).read_text()):
        assert re.search(rf"^{target}:.*## ", MAKEFILE, re.MULTILINE), f"make {target}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document):
    for link in re.findall(r"\]\(([^)#:]+)\)", Path(document).read_text()):
        assert (Path(document).parent / link).exists(), link
