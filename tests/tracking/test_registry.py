import mlflow
import pytest

from scripts import promote as script
from sentiment import params, paths
from sentiment.errors import UserError
from sentiment.models import SAVED
from sentiment.tracking import registry

NAME = "sentiment-sample"


def promote(key: str, accuracy: float, reviews: str = "reviews", path: str | None = None) -> str:
    return registry.promote(NAME, key, path or SAVED[key].path, accuracy, reviews)


def champion() -> str:
    client = mlflow.MlflowClient()
    return client.get_model_version_by_alias(NAME, "champion").tags["model"]


def test_every_model_is_registered(inside):
    found = mlflow.search_model_versions(filter_string=f"name = '{NAME}'")
    assert {version.tags["model"] for version in found} == {*SAVED}
    assert {version.description for version in found} == {model.title for model in SAVED.values()}
    assert "champion" in mlflow.MlflowClient().get_registered_model(NAME).description


def test_the_best_model_by_validation_becomes_champion(inside, capsys):
    script.main()
    accuracy = {key: inside.metrics[key]["validation"]["accuracy"] for key in SAVED}
    best = max(accuracy, key=accuracy.get)
    assert champion() == best
    assert f"{best} (version " in capsys.readouterr().out
    script.main()
    assert "is the champion already" in capsys.readouterr().out


def test_a_champion_of_other_validation_reviews_is_refused(inside, capsys):
    promote("bag_of_words", 0.1)
    with pytest.raises(UserError, match="chosen on other validation reviews"):
        script.main()
    assert champion() == "bag_of_words"


def test_what_the_store_lacks_is_logged_before_it_is_promoted(inside, capsys):
    for run in mlflow.search_runs(output_format="list"):
        mlflow.delete_run(run.info.run_id)
    mlflow.MlflowClient().delete_registered_model(NAME)
    script.main()
    assert "is the champion now" in capsys.readouterr().out


def test_only_a_better_model_replaces_the_champion(inside):
    assert "is the champion now" in promote("bag_of_words", 0.8)
    for accuracy in (0.7, 0.8):
        with pytest.raises(UserError, match=r"champion stays bag_of_words .* is no better"):
            promote("rnn_last_epoch", accuracy)
        assert champion() == "bag_of_words"
    assert "in place of bag_of_words (version" in promote("rnn_last_epoch", 0.9)
    assert champion() == "rnn_last_epoch"


def test_accuracies_on_other_reviews_are_not_compared(inside):
    promote("bag_of_words", 0.8)
    with pytest.raises(UserError, match="chosen on other validation reviews"):
        promote("rnn_last_epoch", 0.9, reviews="others")
    assert champion() == "bag_of_words"


def test_a_champion_that_was_made_by_hand_is_not_compared(inside):
    (version,) = mlflow.search_model_versions(filter_string="tags.model = 'bag_of_words'")
    mlflow.MlflowClient().set_registered_model_alias(NAME, "champion", version.version)
    with pytest.raises(UserError, match="chosen on other validation reviews"):
        promote("rnn_last_epoch", 0.9)


def test_two_models_of_the_same_bytes_are_told_apart(inside):
    path = inside.root / paths.LAST_EPOCH
    path.write_bytes((inside.root / paths.BEST_EPOCH).read_bytes())
    promote("rnn_best_epoch", 0.9)
    assert champion() == "rnn_best_epoch"
    with pytest.raises(UserError, match="no version of rnn_last_epoch"):
        promote("rnn_last_epoch", 0.95)


def test_a_version_that_was_removed_is_not_promoted(inside):
    with pytest.raises(UserError, match=r"no version of bag_of_words .* delete its run"):
        promote("bag_of_words", 0.9, path="params.yaml")


def test_the_validation_reviews_are_in_the_fingerprint(inside):
    from sentiment.data import splits

    before = splits.fingerprint("validation")
    facts = splits.pd.read_parquet(paths.FACTS)
    facts.loc[facts.index[facts["split"] == "validation"][:1], "split"] = "train"
    facts.to_parquet(paths.FACTS, index=False)
    assert splits.fingerprint("validation") != before
    assert params.read().fetch.source == "sample"
