import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import PROJECT

from sentiment import params, paths
from sentiment.data import splits
from sentiment.errors import UserError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Ten reviews, of which those for validation are scattered, in files as `pad` writes them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / paths.PADDED).mkdir(parents=True)
    (tmp_path / "data/raw").mkdir()
    of_each = ["train", "validation", "test", "train", "validation"] * 2
    reviews = pd.DataFrame({"id": [f"review {n}" for n in range(10)], "split": of_each})
    reviews["label"] = np.arange(10, dtype=np.int8) % 2
    reviews.to_parquet(paths.FACTS, index=False)
    raw = reviews.assign(
        split=reviews["split"].replace("validation", "train"), text=[f"text {n}" for n in range(10)]
    )
    raw.to_parquet(paths.REVIEWS, index=False)
    for split in ("train", "test"):
        rows = np.flatnonzero(raw["split"] == split).astype(np.int32)
        np.save(tmp_path / paths.PADDED / f"x_{split}.npy", np.stack([rows, rows], axis=1))
        np.save(tmp_path / paths.PADDED / f"y_{split}.npy", (rows % 2).astype(np.int8))
    return tmp_path


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (["train"], [0, 3, 5, 8]),
        (["validation"], [1, 4, 6, 9]),
        (["train", "validation"], [0, 1, 3, 4, 5, 6, 8, 9]),
        (["test"], [2, 7]),
    ],
)
def test_ids_labels_texts_and_facts_are_of_the_same_reviews(folder, names, rows):
    """Wherever the reviews for validation are."""
    x, y = splits.load(*names)
    assert x[:, 0].tolist() == rows
    assert y.tolist() == [row % 2 for row in rows]
    assert list(splits.texts(*names)) == [f"text {row}" for row in rows]
    assert splits.facts(*names)["id"].tolist() == [f"review {row}" for row in rows]


def test_neighbouring_reviews_are_mapped_from_disk(folder):
    x, _ = splits.load("train", "validation")
    assert isinstance(x, np.memmap)
    assert not x.flags.writeable


def test_texts_of_other_reviews_are_refused(folder):
    facts = pd.read_parquet(paths.FACTS)
    facts[::-1].to_parquet(paths.FACTS, index=False)
    with pytest.raises(UserError, match="other reviews: run `dvc repro pad`"):
        list(splits.texts("train"))


def test_a_missing_array_is_named(folder):
    (folder / "data/padded/y_test.npy").unlink()
    with pytest.raises(FileNotFoundError) as error:
        splits.load("test")
    assert error.value.filename == "data/padded/y_test.npy"


def test_nothing_is_unpickled(folder):
    (folder / "data/padded/y_test.npy").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ValueError, match="contains pickled"):
        splits.load("test")


def test_validation_probabilities_are_found_by_the_reviews_ids(folder):
    splits.save_validation("data/validation.parquet", np.array([0.1, 0.4, 0.6, 0.9], np.float32))
    found = splits.read_validation("data/validation.parquet")
    assert found.to_dict() == {f"review {row}": pytest.approx(row / 10) for row in (1, 4, 6, 9)}
    assert found.dtype == np.float32


def test_a_fingerprint_changes_with_the_reviews_and_with_their_labels(folder):
    facts = pd.read_parquet(paths.FACTS)
    found = {splits.fingerprint("validation")}
    facts.assign(label=1 - facts["label"]).to_parquet(paths.FACTS, index=False)
    found.add(splits.fingerprint("validation"))
    facts.assign(split=facts["split"][::-1].array).to_parquet(paths.FACTS, index=False)
    found.add(splits.fingerprint("validation"))
    assert len(found) == 3


def pad(**values) -> params.Pad:
    return params.read(PROJECT / "params.yaml").pad.model_copy(update=values)


@pytest.mark.parametrize(
    ("reviews", "share", "trained"),
    [(25_000, 0.2, 20_000), (10, 0.25, 7), (3, 0.5, 1), (7, 0.1, 6), (2, 0.01, 1)],
)
def test_the_last_training_reviews_validate(reviews, share, trained):
    table = pd.DataFrame({"split": ["test", *["train"] * reviews, "unlabelled"]})
    found = splits.assign_validation(table, pad(validation_split=share))
    expected = ["train"] * trained + ["validation"] * (reviews - trained)
    assert found.tolist() == ["test", *expected, "unlabelled"]


@pytest.mark.parametrize("validation", ["last", "films"])
@pytest.mark.parametrize(("reviews", "share"), [(10, 0.95), (1, 0.5), (10, 1e-20)])
def test_a_division_that_leaves_a_side_empty_is_refused(validation, reviews, share):
    table = pd.DataFrame({"split": ["train"] * reviews, "label": 1, "film": "the same"})
    with pytest.raises(UserError, match=f"validation_split = {share} of {reviews} reviews"):
        splits.assign_validation(table, pad(validation=validation, validation_split=share))


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    """Reviews of 300 films of every size from 1 to 30, one label more frequent in most of them."""
    generator = np.random.default_rng(0)
    sizes = np.arange(300) % 30 + 1
    films = np.repeat([f"tt{number}" for number in range(300)], sizes)
    labels = generator.random(len(films)) < np.repeat(generator.random(300), sizes)
    table = pd.DataFrame({"split": "train", "label": labels.astype(np.int8), "film": films})
    test = pd.DataFrame({"split": "test", "label": 1, "film": ["tt0"] * 50})
    return pd.concat([table.sample(frac=1, random_state=0), test], ignore_index=True)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_no_film_is_both_trained_on_and_validated_with(reviews, share):
    settings = pad(validation="films", validation_split=share)
    table = reviews.assign(split=splits.assign_validation(reviews, settings))
    train, validation = (table[table["split"] == split] for split in ("train", "validation"))
    assert not {*train["film"]} & {*validation["film"]}
    assert table["split"].eq("test").equals(reviews["split"].eq("test"))
    assert len(validation) / (len(train) + len(validation)) == pytest.approx(share, abs=0.02)
    assert validation["label"].mean() == pytest.approx(train["label"].mean(), abs=0.03)


def test_films_are_drawn_by_a_seed(reviews):
    drawn = [splits.assign_validation(reviews, pad(validation="films", seed=n)) for n in (1, 1, 2)]
    assert drawn[0].equals(drawn[1])
    assert not drawn[0].equals(drawn[2])


def test_the_share_of_known_films_is_of_reviews():
    table = pd.DataFrame(
        {
            "split": ["train", "train", "validation", "test", "test", "test"],
            "film": ["a", "b", "c", "a", "a", "c"],
        }
    )
    assert splits.share_of_known_films(table, "validation", "train") == 0
    assert splits.share_of_known_films(table, "test", "train") == pytest.approx(2 / 3)
    assert splits.share_of_known_films(table, "test", "train", "validation") == 1
