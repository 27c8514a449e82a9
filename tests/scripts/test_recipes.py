"""Recipes: each is valid, has an effect, and runs; what is recorded of them."""

import json
import re
import shutil

import pytest
from conftest import PROJECT

from scripts import recipe
from sentiment import params
from sentiment.errors import UserError

RECIPES = sorted(path.stem for path in (PROJECT / "recipes").glob("*.yaml"))
RESULTS = json.loads((PROJECT / recipe.RESULTS).read_bytes())


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_valid_and_names_parameters_that_exist(tmp_path, name):
    path = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", path)
    before, overrides = params.read(path), params.recipe(name)
    params.override(path, overrides)
    assert overrides
    assert (params.read(path) == before) == (name == "reference")


@pytest.mark.parametrize("name", RESULTS)
def test_a_recorded_result_is_of_a_recipe_and_complete(name):
    assert name in RECIPES
    result = RESULTS[name]
    assert set(result) == {"network", "blend", "seconds", "commit"}
    for model in ("network", "blend"):
        assert set(result[model]) == {"validation", "test"}
        assert all(0.5 < accuracy <= 1 for accuracy in result[model].values())
    assert result["seconds"] > 0
    assert re.fullmatch("[0-9a-f]{40}", result["commit"])


def test_the_recipe_trained_well_has_the_course_s_parameters(tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", path)
    before = params.read(path)
    params.override(path, params.recipe("reference_trained_well"))
    after = params.read(path)
    assert after.pad == before.pad
    for size in ("embedding_dim", "units"):
        assert getattr(after.train, size) == getattr(before.train, size)
    for name in ("cell", "bidirectional", "layers", "mask_padding", "pooling"):
        assert getattr(after.train.network, name) == getattr(before.train.network, name)


@pytest.mark.parametrize(
    "overrides", [{"train.distill": True}, {"train.embedding_init.source": "all"}]
)
def test_what_needs_unlabelled_reviews_says_so(tmp_path, overrides):
    path = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", path)
    with pytest.raises(UserError, match=r"set fetch\.unlabelled to true"):
        params.override(path, overrides)
    params.override(path, overrides | {"fetch.unlabelled": True})


def test_a_recipe_runs_on_what_is_committed_alone(project):
    assert "there is no recipe 'nosuch'" in project.python("-m", "scripts.recipe", "nosuch", code=1)
    with (project.root / "params.yaml").open("a") as file:
        file.write("# changed\n")
    output = project.python("-m", "scripts.recipe", "reference", code=1)
    assert "commit first" in output
    assert "params.yaml" in output


@pytest.mark.slow
def test_a_small_gru_runs_as_an_experiment_and_is_recorded(project):
    small = {
        "train.network.cell": "gru",
        "train.network.bidirectional": True,
        "train.network.mask_padding": True,
        "train.network.pooling": "mean_max",
        "train.embedding_init.source": "labelled",
        "train.embedding_init.log_count_ratio": 1.0,
        "train.optimizer": "adam",
        "train.learning_rate": 0.005,
        "train.schedule": "cosine",
    }
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in small.items()]
    (project.root / "recipes/small.yaml").write_text("".join(lines))
    project.commit()
    metrics = (project.root / "data/metrics.json").read_bytes()
    output = project.python("-m", "scripts.recipe", "small")
    result = json.loads((project.root / "recipes/results.json").read_bytes())["small"]
    assert f"small, network: validation {result['network']['validation']:.2%}, test" in output
    assert f"test {result['blend']['test']:.2%}" in output
    assert result["network"]["test"] > 0.9  # word order too is read
    assert result["commit"] == project.run("git", "rev-parse", "HEAD").stdout.strip()
    assert (project.root / "data/metrics.json").read_bytes() == metrics
    project.dvc("exp", "apply", "small")
    assert params.read(project.root / "params.yaml").train.network.cell == "gru"
