"""Tests of word vectors from the reviews, against counts by hand."""

import numpy as np
import pytest

from sentiment import params
from sentiment.data.splits import Dataset
from sentiment.rnn import embeddings

ROWS = np.array([[0, 3, 4, 3], [0, 0, 4, 5]], np.int32)


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    return np.pad(generator.integers(3, 20, (50, 15)), ((0, 0), (2, 0))).astype(np.int32)


def test_pairs_are_counted_within_the_window_and_within_a_review():
    near = np.zeros((6, 6))
    near[3, 4] = near[4, 3] = 2  # 3 4 and 4 3
    near[4, 5] = near[5, 4] = 1
    assert np.array_equal(embeddings.cooccurrences(ROWS, 6, window=1).toarray(), near)
    near[3, 3] = 2  # 3 . 3, seen from either side
    assert np.array_equal(embeddings.cooccurrences(ROWS, 6, window=2).toarray(), near)


@pytest.mark.parametrize("token", [-1, 6])
def test_a_token_outside_the_vocabulary_is_refused(token):
    with pytest.raises(ValueError, match="expected 0 to 5"):
        embeddings.cooccurrences(np.array([[3, token]], np.int32), 6)


def test_positive_pmi_by_hand():
    counts = embeddings.cooccurrences(ROWS, 6, window=1)  # totals: 3 has 2, 4 has 3, 5 has 1
    plain = embeddings.positive_pmi(counts, smoothing=1).toarray()
    assert plain[3, 4] == pytest.approx(np.log((2 / 6) / ((2 / 6) * (3 / 6))))
    assert plain[4, 5] == pytest.approx(np.log((1 / 6) / ((3 / 6) * (1 / 6))))
    assert plain[3, 5] == 0
    smoothed = embeddings.positive_pmi(counts, smoothing=0.75).toarray()
    share = 1 / (2**0.75 + 3**0.75 + 1)
    assert smoothed[4, 5] == pytest.approx(np.log((1 / 6) / ((3 / 6) * share)), rel=1e-6)


def test_what_stands_together_less_than_by_chance_counts_for_nothing():
    rows = np.array([[3, 4]] * 9 + [[5, 6]] * 9 + [[3, 6]], np.int32)
    ppmi = embeddings.positive_pmi(embeddings.cooccurrences(rows, 7)).toarray()
    assert ppmi[3, 4] > 0
    assert ppmi[3, 6] == 0


def test_vectors_are_the_ppmi_s_best_factors(rows):
    vectors = embeddings.word_vectors(rows, 20, 17, seed=0).astype(float)
    ppmi = embeddings.positive_pmi(embeddings.cooccurrences(rows, 20)).toarray()
    left, singular, _ = np.linalg.svd(ppmi)
    expected = (left * singular) @ left.T  # what a Gram matrix of U sqrt(S) is
    gram = vectors @ vectors.T
    assert gram / np.trace(gram) == pytest.approx(expected / np.trace(expected), abs=1e-5)


def test_the_same_seed_gives_the_same_vectors_and_words_without_company_have_none(rows):
    first, second = (embeddings.word_vectors(rows, 30, 4, seed=5) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.dtype == np.float32
    assert not first[:3].any()
    assert not first[20:].any()
    assert first[3:20].std() == pytest.approx(1, rel=1e-5)


def test_log_count_ratios_by_hand():
    ratios = embeddings.log_count_ratios(ROWS, np.array([1, 0]), 6)
    # Counts after smoothing, by review: positive 2 1 1 2 2 1 of 9, negative 2 1 1 1 2 2 of 9.
    expected = np.array([0, 0, 0, np.log(2), 0, -np.log(2)])
    assert ratios == pytest.approx(expected / expected.std())


@pytest.mark.parametrize("ratio", [0.0, 1.5])
def test_an_embedding_to_begin_with(rows, ratio):
    vectors = params.EmbeddingInit(source="labelled", log_count_ratio=ratio, scale=0.5)
    settings = params.read("params.yaml").train.model_copy(
        update={"embedding_dim": 5, "embedding_init": vectors}
    )
    data = Dataset(rows, np.arange(50) % 2)
    embedding = embeddings.initial(data, rows[:0], 20, settings, 0)
    assert (embedding.shape, embedding.dtype) == ((20, 5), np.float32)
    if ratio:
        expected = 0.75 * embeddings.log_count_ratios(*data, 20)
        assert embedding[:, -1] == pytest.approx(expected)
    else:
        assert embedding == pytest.approx(0.5 * embeddings.word_vectors(rows, 20, 5, 0))


def test_unlabelled_reviews_take_part_where_the_source_is_all(rows):
    def initial(source):
        vectors = params.EmbeddingInit(source=source, log_count_ratio=0.0, scale=1.0)
        settings = params.read("params.yaml").train.model_copy(
            update={"embedding_dim": 5, "embedding_init": vectors}
        )
        return embeddings.initial(Dataset(rows[:30], np.zeros(30)), rows[30:], 20, settings, 0)

    assert np.array_equal(initial("all"), embeddings.word_vectors(rows, 20, 5, 0))
    assert np.array_equal(initial("labelled"), embeddings.word_vectors(rows[:30], 20, 5, 0))
