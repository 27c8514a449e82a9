"""Tests of the baselines: against scikit-learn's own counting, and by hand-worked figures."""

import hashlib
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline

from sentiment.bags import mapped
from sentiment.bags.document_vectors import DocumentVectors
from sentiment.bags.fitting import Bag, Search, check_labels, fit_ngrams, fit_words
from sentiment.bags.models import (
    build_bag_of_ngrams,
    build_bag_of_words,
    load_bag,
    predict_with_bag,
    save_bag,
    top_ngrams,
)
from sentiment.bags.vectorizers import NaiveBayesWeights, NgramCounts, TokenCounts
from sentiment.data.splits import Dataset
from sentiment.errors import UserError

TEXTS = [
    "A good film, a very good film!",
    "Not good. Not a good film at all",
    "It's BAD;<br /><br />it's very bad!",
    "",
    "Étonnant: a bad, bad film... but good",
    "word",
]
OPTIONS = {
    "ngram_range": (1, 3),
    "min_df": 1,
    "binary": True,
    "punctuation": True,
    "unicode_words": False,
    "naive_bayes": True,
    "tfidf": True,
    "classifier": "logistic",
    "seed": 0,
}


def reviews(n: int = 60, seed: int = 0) -> Dataset:
    """Reviews in which the order of words decides: "not good" against "good" and "not bad"."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n).astype(np.int8)
    said = {0: ["not good", "bad"], 1: ["good", "not bad"]}
    x = [f"film {i % 7} was {rng.choice(said[label])} , really" for i, label in enumerate(y)]
    return Dataset(np.array(x, dtype=object), y)


def fitted(**changes):
    return build_bag_of_ngrams(10.0, **OPTIONS | changes).fit(*reviews())


@pytest.mark.parametrize("punctuation", [False, True])
@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("min_df", [1, 2])
@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2), (2, 4), (3, 3)])
def test_ngrams_are_those_of_count_vectorizer(
    ngram_range, min_df, binary, punctuation, monkeypatch
):
    monkeypatch.setattr(mapped, "BATCH", 4)
    ours = NgramCounts(ngram_range, min_df, binary, punctuation)
    theirs = CountVectorizer(
        ngram_range=ngram_range,
        min_df=min_df,
        binary=binary,
        preprocessor=lambda text: text.replace("<br />", " ").lower(),
        token_pattern=r"[\w']+|[^\w\s]" if punctuation else r"[\w']+",
    )
    expected = theirs.fit_transform(TEXTS)
    counts = ours.fit_transform(TEXTS)
    names = list(ours.get_feature_names_out())
    assert sorted(names) == sorted(theirs.vocabulary_)
    order = [theirs.vocabulary_[name] for name in names]
    np.testing.assert_array_equal(counts.toarray(), expected[:, order].toarray())

    unseen = ["a good bad film nobody knows", "film", "", TEXTS[0], "! , ! it's very bad !"]
    np.testing.assert_array_equal(
        ours.transform(unseen).toarray(), theirs.transform(unseen)[:, order].toarray()
    )


def test_tokens_are_lower_case_words_with_apostrophes_and_punctuation_marks():
    counts = NgramCounts(punctuation=True).fit(["It's 7/10!<br />É"])
    assert list(counts.get_feature_names_out()) == ["!", "/", "10", "7", "it's", "é"]
    assert list(NgramCounts().fit(["It's 7/10!"]).get_feature_names_out()) == ["10", "7", "it's"]


def test_document_frequency_counts_texts_not_occurrences():
    counts = NgramCounts().fit(["a a b", "a", "c"])
    assert dict(zip(counts.get_feature_names_out(), counts.document_frequency_, strict=True)) == {
        "a": 2,
        "b": 1,
        "c": 1,
    }


def test_one_string_is_refused():
    with pytest.raises(ValueError, match="put it into a list"):
        fitted().predict_proba("a good film")


def test_texts_without_a_frequent_token_are_refused():
    with pytest.raises(UserError, match=r"no word occurs in 3 of the 2 reviews .*min_df to less"):
        NgramCounts(min_df=3).fit(["a b", "a c"])


@pytest.mark.parametrize("punctuation", [False, True])
def test_tokens_of_any_script_are_those_of_unicode(punctuation):
    texts = [
        "味道很好\N{FULLWIDTH COMMA}ОТЛИЧНО",
        "\N{LEFT DOUBLE QUOTATION MARK}Good\N{RIGHT DOUBLE QUOTATION MARK}",
    ]
    counts = NgramCounts(punctuation=punctuation, unicode_words=True).fit(texts)
    words = {"味道", "很好", "отлично", "good"}
    marks = {",", "\N{LEFT DOUBLE QUOTATION MARK}", "\N{RIGHT DOUBLE QUOTATION MARK}"}
    assert set(counts.get_feature_names_out()) == (words | marks if punctuation else words)


@pytest.mark.parametrize(
    ("fit", "validation", "classifier", "told"),
    [
        ([1, 1, 1, 1], [0, 1], "logistic", "the 4 reviews to fit on have one label: change"),
        ([0, 1, 0, 1], [1, 1], "logistic", "the 2 reviews to validate with have one label"),
        ([0, 1, 0, 1], [0, 1], "svm", "svm needs 5 reviews of each label to fit on"),
    ],
)
def test_too_few_reviews_are_told(fit, validation, classifier, told):
    bag = build_bag_of_ngrams(1.0, **OPTIONS | {"classifier": classifier})
    with pytest.raises(UserError, match=told):
        check_labels(np.array(fit), np.array(validation), bag[-1])


@pytest.mark.parametrize("transformer", [NgramCounts(), NaiveBayesWeights()])
def test_unfitted_transformers_say_so(transformer):
    with pytest.raises(NotFittedError):
        transformer.transform(["good"] if isinstance(transformer, NgramCounts) else csr_matrix([1]))


def test_naive_bayes_weights_are_log_count_ratios():
    X = csr_matrix([[1.0, 0, 2], [1, 1, 0], [0, 1, 1]])
    weights = NaiveBayesWeights(alpha=1).fit(X, [1, 1, 0])
    # p = (1, 1, 1) + (2, 1, 2), q = (1, 1, 1) + (0, 1, 1)
    expected = np.log(np.array([3, 2, 3]) / 8) - np.log(np.array([1, 2, 2]) / 5)
    np.testing.assert_allclose(weights.weights_, expected)
    np.testing.assert_allclose(weights.transform(X).toarray(), X.toarray() * expected)
    np.testing.assert_array_equal(X.toarray()[0], [1, 0, 2])  # the input is left as it was


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2]])
def test_naive_bayes_weights_need_two_classes(labels):
    with pytest.raises(ValueError, match="two classes"):
        NaiveBayesWeights().fit(csr_matrix(np.eye(3)), labels)


def test_token_counts_leave_out_padding_start_and_unknown_words():
    rows = np.array([[0, 0, 1, 3, 3, 2], [1, 4, 2, 4, 4, 3]], dtype=np.int32)
    np.testing.assert_array_equal(
        TokenCounts(5).fit_transform(rows).toarray(), [[0, 0, 0, 2, 0], [0, 0, 0, 1, 3]]
    )


def test_words_model_learns_a_telling_word():
    rng = np.random.default_rng(0)
    x = rng.integers(4, 20, (200, 12)).astype(np.int32)
    y = rng.integers(0, 2, 200).astype(np.int8)
    x[y == 1, 5] = 3
    model = build_bag_of_words(1.0, num_words=20, seed=0).fit(x[:100], y[:100])
    assert model.score(x[100:], y[100:]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"binary": False},
        {"naive_bayes": False},
        {"tfidf": False},
        {"naive_bayes": False, "tfidf": False},
        {"classifier": "svm"},
    ],
    ids=str,
)
def test_ngrams_tell_what_words_do_not(changes):
    unseen = reviews(seed=1)
    assert fitted(**changes).score(*unseen) == 1
    assert fitted(**changes, ngram_range=(1, 1)).score(*unseen) < 1


def fitted_in_parts(
    train: Dataset,
    validation: Dataset,
    unlabelled=(),
    candidates=(10.0,),
    vectors=None,
    **changes,
) -> list[Bag]:
    build = partial(
        build_bag_of_ngrams, **{k: v for k, v in OPTIONS.items() if k != "seed"} | changes
    )
    search = Search(build, candidates, [0, 1], vectors)
    counter = search.template()[0]
    texts = Dataset(*map(np.concatenate, zip(train, validation, strict=True)))
    counted = Dataset(counter.fit_transform(texts.x), texts.y)
    is_train = np.arange(len(texts.y)) < len(train.y)
    return fit_ngrams(search, counter, counted, is_train, unlabelled)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"naive_bayes": False},
        {"tfidf": False},
        {"naive_bayes": False, "tfidf": False},
        {"binary": False},
        {"min_df": 5},
        {"solver": "sag"},
        {"classifier": "svm"},
    ],
    ids=str,
)
def test_bags_fitted_in_parts_are_those_of_scikit_learn(changes, monkeypatch):
    monkeypatch.setattr(mapped, "BATCH", 7)
    train, validation, unlabelled = reviews(), reviews(40, seed=1), reviews(20, seed=2).x
    bags = fitted_in_parts(train, validation, unlabelled, **changes)
    for seed, bag in enumerate(bags):
        build = partial(build_bag_of_ngrams, 10.0, **OPTIONS | changes | {"seed": seed})
        before = build().fit(*train)
        np.testing.assert_array_equal(bag.validation, predict_with_bag(before, validation.x))
        np.testing.assert_array_equal(bag.unlabelled, predict_with_bag(before, unlabelled))
        both = (np.concatenate(parts) for parts in zip(train, validation, strict=True))
        after = build().fit(*both)
        np.testing.assert_array_equal(
            predict_with_bag(bag.model, unlabelled), predict_with_bag(after, unlabelled)
        )
        assert list(bag.model[0].get_feature_names_out()) == list(after[0].get_feature_names_out())


def fitted_with_vectors(validation: Dataset, **changes) -> list[Bag]:
    train, unlabelled = reviews(), reviews(20, seed=2).x
    vectors = partial(DocumentVectors, 4, 5)
    return fitted_in_parts(train, validation, unlabelled, vectors=vectors, **changes)


@pytest.mark.parametrize("changes", [{}, {"naive_bayes": False, "tfidf": False}], ids=str)
def test_a_bag_with_vectors_computes_them_as_it_was_fitted(changes, monkeypatch, tmp_path):
    monkeypatch.setattr(mapped, "BATCH", 7)
    validation = reviews(40, seed=1)
    bags = fitted_with_vectors(validation, **changes)
    assert not np.array_equal(bags[0].unlabelled, bags[1].unlabelled)  # vectors of another seed
    for bag in bags:
        texts = Dataset(*map(np.concatenate, zip(reviews(), validation, strict=True)))
        again = clone(bag.model[-1]).fit(bag.model[:-1].transform(texts.x), texts.y)
        np.testing.assert_array_equal(again.coef_, bag.model[-1].coef_)
        assert len(bag.validation) == 40
        assert len(bag.unlabelled) == 20
        assert "was bad" in set(top_ngrams(bag.model, 4).ngram)
        save_bag(bag.model, tmp_path / "bag.skops")
        np.testing.assert_array_equal(
            predict_with_bag(load_bag(tmp_path / "bag.skops"), texts.x),
            predict_with_bag(bag.model, texts.x),
        )


def test_vectors_do_not_depend_on_validation_reviews():
    learned = []
    for seed in (1, 3):
        counter, features, _ = fitted_with_vectors(reviews(40, seed), min_df=2)[0].model
        vectors = features.named_transformers["vectors"]
        learned.append((counter.get_feature_names_out()[vectors.columns_], vectors.vectors_))
    for first, second in zip(*learned, strict=True):
        np.testing.assert_array_equal(first, second)


def test_c_has_the_lowest_log_loss_on_validation_reviews():
    train, validation = reviews(), reviews(seed=1)
    bag, _ = fitted_in_parts(train, validation, candidates=(0.001, 10.0))
    assert bag.model[-1].C == 10
    assert bag.scores.log_loss[10.0] < bag.scores.log_loss[0.001]
    assert bag.scores.accuracy[10.0] == 1
    alone, _ = fitted_in_parts(train, validation)
    np.testing.assert_array_equal(bag.validation, alone.validation)


def test_training_reviews_without_a_frequent_ngram_are_refused():
    train = Dataset(np.array(["a", "b", "c", "d"], object), np.array([0, 1, 0, 1]))
    with pytest.raises(UserError, match="no word occurs in 2 of the 4 reviews to fit on"):
        fitted_in_parts(train, train, min_df=2)


def test_words_fitted_in_parts_are_those_of_scikit_learn(monkeypatch):
    rng = np.random.default_rng(0)
    train, validation = (
        Dataset(rng.integers(0, 20, (n, 12)).astype(np.int32), rng.integers(0, 2, n))
        for n in (50, 9)
    )
    build = partial(build_bag_of_words, num_words=20)
    whole = build(1.0, seed=3).fit(*train)
    monkeypatch.setattr(mapped, "BATCH", 7)
    (bag,) = fit_words(Search(build, [1.0], seeds=[3]), train, validation)
    np.testing.assert_array_equal(
        predict_with_bag(bag.model, validation.x), predict_with_bag(whole, validation.x)
    )


@pytest.mark.parametrize(
    "changes", [{}, {"classifier": "svm"}, {"naive_bayes": False, "tfidf": False}], ids=str
)
def test_telling_ngrams_are_named_and_signed(changes):
    table = top_ngrams(fitted(**changes), 4)
    assert list(table.columns) == ["ngram", "weight", "reviews"]
    assert (table.weight[:4] < 0).all() and (table.weight[4:] > 0).all()
    assert "was bad" in set(table.ngram[:4])
    assert "was good" in set(table.ngram[4:])
    said = [" was bad " in text for text in reviews().x]
    assert table.set_index("ngram").reviews["was bad"] == sum(said)


def test_telling_ngrams_of_a_small_vocabulary_appear_once():
    table = top_ngrams(fitted(), 10_000)
    assert table.ngram.is_unique


def test_weights_are_parts_of_the_log_odds():
    model = fitted(naive_bayes=True, tfidf=False, ngram_range=(1, 1))
    weights = top_ngrams(model, 10_000).set_index("ngram").weight
    expected = weights["good"] + weights["film"] + model[-1].intercept_[0]
    np.testing.assert_allclose(model.decision_function(["a good film"]), [expected])


@pytest.mark.parametrize("text", ["", "   ", "unheard-of", "\x00\ud800", "good " * 100_000])
def test_any_text_has_a_probability(text):
    (probability,) = predict_with_bag(fitted(), [text])
    assert 0 < probability < 1


@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_a_loaded_model_takes_raw_text_and_says_the_same(tmp_path, classifier):
    model, unseen = fitted(classifier=classifier), reviews(seed=1).x
    save_bag(model, tmp_path / "model.skops")
    loaded = load_bag(tmp_path / "model.skops")
    np.testing.assert_array_equal(predict_with_bag(loaded, unseen), predict_with_bag(model, unseen))
    assert list(loaded[0].get_feature_names_out()) == list(model[0].get_feature_names_out())


def test_a_model_has_the_same_bytes_whichever_of_its_numbers_are_one_object(tmp_path):
    for path, numbers in (("shared", [1000] * 2), ("apart", map(int, ["1000"] * 2))):
        model = Pipeline([(name, TokenCounts(n)) for name, n in zip("ab", numbers, strict=True)])
        save_bag(model, tmp_path / path)
    assert (tmp_path / "shared").read_bytes() == (tmp_path / "apart").read_bytes()


def test_a_model_of_other_types_is_refused(tmp_path):
    import skops.io

    skops.io.dump(subprocess.Popen, tmp_path / "model.skops")
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        load_bag(tmp_path / "model.skops")


SAVE = """
import sys
sys.path[:0] = sys.argv[2:]
from test_bags import fitted
from sentiment.bags.models import save_bag
ballast = [object() for _ in range(int(sys.argv[1][-1]) * 1000)]  # other addresses in memory
save_bag(fitted(), sys.argv[1])
"""


def test_two_processes_save_the_same_bytes(tmp_path, monkeypatch):
    digests = set()
    for run in "12":
        monkeypatch.setenv("PYTHONHASHSEED", run)
        monkeypatch.setenv("OMP_NUM_THREADS", run)
        path = tmp_path / run
        folders = [Path(__file__).parent, *filter(None, sys.path)]
        subprocess.run([sys.executable, "-c", SAVE, path, *folders], check=True)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
