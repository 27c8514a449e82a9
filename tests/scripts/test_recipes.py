"""Recipes: each is valid, has an effect, and runs; what is recorded of them."""

import json
import re
import shutil
import sys

import pytest
from conftest import PROJECT

from scripts import recipe
from sentiment import params
from sentiment.errors import UserError
from sentiment.models import BAGS, MODELS
from sentiment.report.wording import comparison_sentences

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
    about = {"tier", "kind", "validated_on", "beside", "seconds", "machine", "commit"}
    assert about < set(result)
    assert result["tier"] == with_recipe(name).tier
    assert result["validated_on"] in ("last", "films")
    models = {result["kind"]: result} | result["beside"]
    assert {*models} == {"bag", "blend", "recurrent"}
    for kind, found in models.items():
        assert MODELS[found["model"]]
        assert ("against_bag" in found) == (kind != "bag")
        for split in ("validation", "test"):
            assert 0.5 < found[split]["mean"] <= 1
            assert (found[split]["standard_deviation"] is None) == (found[split]["seeds"] == 1)
    assert result["seconds"] > 0
    assert re.fullmatch("[0-9a-f]{40}", result["commit"])


def with_recipe(name: str) -> params.Params:
    settings = params.read(PROJECT / "params.yaml")
    return params.changed(settings, params.recipe(name), "params.yaml")


def test_a_recipe_chooses_on_films_kept_apart():
    """Except the course's own, and the sample, which has no films."""
    validation = {name: with_recipe(name).pad.validation for name in RECIPES}
    assert {name for name, chosen in validation.items() if chosen == "last"} == {
        "reference",
        "sample",
    }


@pytest.mark.parametrize(
    ("overrides", "tier"),
    [
        ({}, "labelled"),
        ({"fetch.unlabelled": True}, "labelled"),  # fetched, and not read
        ({"fetch.unlabelled": True, "baseline.ngrams.vectors": 4}, "all"),
        ({"fetch.unlabelled": True, "train.distill": True}, "all"),
        ({"fetch.unlabelled": True, "train.embedding_init.source": "all"}, "all"),
    ],
)
def test_the_tier_is_that_of_the_reviews_that_are_learned_from(overrides, tier):
    settings = params.read(PROJECT / "params.yaml")
    assert params.changed(settings, overrides, "params.yaml").tier == tier


@pytest.fixture
def measured() -> tuple[dict, dict]:
    """The files of a run in which the bag of words is better on validation, and worse on test."""
    validation = {"bag_of_words": 0.9, "bag_of_ngrams": 0.8, "rnn_best_epoch": 0.7, "blend": 0.85}
    scores = {
        key: {"validation": {"accuracy": value}, "test": {"accuracy": 1.5 - value}}
        for key, value in validation.items()
    }
    pair = {"low": -0.1, "high": 0.3, "mcnemar_mid_p": 0.2, "pairs": {}}
    compared = {
        key: {bag: pair | {"difference": value} for value, bag in enumerate(BAGS)}
        for key in ("rnn_best_epoch", "blend")
    }
    return scores, {"comparison": compared}


def test_the_strongest_bag_is_that_of_the_best_validation(measured):
    found = recipe.models(*measured)
    assert {kind: result["model"] for kind, result in found.items()} == {
        "bag": "bag_of_words",
        "recurrent": "rnn_best_epoch",
        "blend": "blend",
    }
    assert found["recurrent"] == {
        "model": "rnn_best_epoch",
        "validation": {"mean": 0.7, "standard_deviation": None, "seeds": 1},
        "test": {"mean": 0.8, "standard_deviation": None, "seeds": 1},
        "against_bag": {"difference": 0, "low": -0.1, "high": 0.3},
    }
    about = (("rnn_best_epoch", "blend"), ["bag_of_words"])
    assert len(comparison_sentences(measured[1], *about)) == 2


def test_of_several_seeds_mean_deviation_and_their_comparison_are_recorded(measured):
    scores, details = measured
    spread = {"mean": 0.6, "standard_deviation": 0.02, "least": 0.58, "by_seed": {"42": 0, "43": 0}}
    both = {"validation": spread, "test": spread}
    compared = {
        key: {bag: {"difference": 0.07, "low": 0, "high": 0.1, "seeds": 2} for bag in BAGS}
        for key in ("rnn_best_epoch", "blend")
    }
    seeds = {"accuracy": dict.fromkeys(MODELS, both), "comparison": compared}
    found = recipe.models(scores, details | {"seeds": seeds})
    expected = {"mean": 0.6, "standard_deviation": 0.02, "seeds": 2}
    assert found["bag"]["test"] == found["blend"]["validation"] == expected
    assert found["blend"]["against_bag"] == {"difference": 0.07, "low": 0, "high": 0.1}
    about = (("rnn_best_epoch", "blend"), ["bag_of_words"])
    printed = comparison_sentences(details | {"seeds": seeds}, *about)
    assert [sentence.startswith("Over 2 seeds") for sentence in printed] == [False] * 2 + [True] * 2


def test_the_recipe_trained_well_has_the_course_s_parameters(tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", path)
    before = params.read(path)
    params.override(path, params.recipe("reference_trained_well"))
    after = params.read(path)
    assert after.pad.model_copy(update={"validation": before.pad.validation}) == before.pad
    for size in ("embedding_dim", "units"):
        assert getattr(after.train, size) == getattr(before.train, size)
    for name in ("cell", "bidirectional", "layers", "mask_padding", "pooling"):
        assert getattr(after.train.network, name) == getattr(before.train.network, name)


@pytest.mark.parametrize(
    "overrides",
    [
        {"baseline.ngrams.vectors": 4},
        {"train.distill": True},
        {"train.embedding_init.source": "all"},
    ],
)
def test_what_needs_unlabelled_reviews_says_so(tmp_path, overrides):
    path = tmp_path / "params.yaml"
    shutil.copy(PROJECT / "params.yaml", path)
    with pytest.raises(UserError, match=r"set fetch\.unlabelled to true"):
        params.override(path, overrides)
    params.override(path, overrides | {"fetch.unlabelled": True})


def test_a_recipe_runs_on_what_is_committed_alone(project, monkeypatch):
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "argv", ["recipe", "nosuch"])
    with pytest.raises(UserError, match="there is no recipe 'nosuch'"):
        recipe.main()
    with (project.root / "params.yaml").open("a") as file:
        file.write("# changed\n")
    monkeypatch.setattr(sys, "argv", ["recipe", "reference"])
    with pytest.raises(UserError, match=r"commit first, .*: params\.yaml"):
        recipe.main()


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
    project.run("git", "branch", "small")  # not what the experiment's name means
    metrics = (project.root / "data/metrics.json").read_bytes()
    output = project.python("-m", "scripts.recipe", "small", "2")
    result = json.loads((project.root / "recipes/results.json").read_bytes())["small"]
    about = (result["tier"], result["kind"], result["validated_on"])
    assert about == ("labelled", "recurrent", "last")
    for kind, found in ({"recurrent": result} | result["beside"]).items():
        validation, test = (recipe.in_percent(found[split]) for split in ("validation", "test"))
        assert f"small, {kind}: validation {validation}, test {test}" in output
        assert found["test"]["seeds"] == 2
    assert "Over 2 seeds, the blend of the network" in output
    assert result["test"]["mean"] > 0.9  # word order too is read
    assert result["commit"] == project.run("git", "rev-parse", "HEAD").stdout.strip()
    assert (project.root / "data/metrics.json").read_bytes() == metrics
    project.run("git", "branch", "--delete", "small")
    project.dvc("exp", "apply", "small")
    assert params.read(project.root / "params.yaml").train.network.cell == "gru"
