import mlflow
import pytest

from scripts import promote as script
from sentiment.errors import UserError
from sentiment.tracking import registry

NAME = "sentiment-sample"
WORDS, NETWORK = "data/baseline/words.skops", "data/rnn/model.keras"


def promote(model: str, path: str, accuracy: float, rows: str = "rows") -> str:
    return registry.promote(NAME, model, path, accuracy, rows)


def champion() -> str:
    client = mlflow.MlflowClient()
    return client.get_model_version_by_alias(NAME, "champion").tags["model"]


def test_every_model_is_registered(inside):
    found = mlflow.search_model_versions(filter_string=f"name = '{NAME}'")
    models = {version.tags["model"] for version in found}
    assert models == {"baseline", "baseline_words", "recurrent", "recurrent_best_epoch"}


def test_the_best_model_by_validation_becomes_champion(inside, capsys):
    script.main()
    scores = inside.metrics
    accuracy = {name: scores[name]["validation"]["accuracy"] for name in script.MODELS}
    best = max(accuracy, key=accuracy.get)
    assert champion() == best
    assert f"{best} (version " in capsys.readouterr().out
    script.main()
    assert "is the champion already" in capsys.readouterr().out


def test_only_a_better_model_replaces_the_champion(inside):
    assert "is the champion now" in promote("baseline_words", WORDS, 0.8)
    for accuracy in (0.7, 0.8):
        with pytest.raises(UserError, match=r"champion stays baseline_words .* is no better"):
            promote("recurrent", NETWORK, accuracy)
        assert champion() == "baseline_words"
    assert "in place of baseline_words (version" in promote("recurrent", NETWORK, 0.9)
    assert champion() == "recurrent"


def test_accuracies_on_other_rows_are_not_compared(inside):
    promote("baseline_words", WORDS, 0.8)
    with pytest.raises(UserError, match="by other validation rows"):
        promote("recurrent", NETWORK, 0.9, rows="others")
    assert champion() == "baseline_words"


def test_a_champion_that_was_made_by_hand_is_not_compared(inside):
    version = registry._registered(NAME, registry.lineage.md5(WORDS)).version
    mlflow.MlflowClient().set_registered_model_alias(NAME, "champion", version)
    with pytest.raises(UserError, match="by other validation rows"):
        promote("recurrent", NETWORK, 0.9)


def test_a_model_that_is_not_registered_is_told(inside):
    with pytest.raises(UserError, match="not registered: run `make track`"):
        promote("other", "params.yaml", 0.9)
