"""Vectors of documents: what they learn, and that their bytes depend on data and seed alone."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.sparse import csr_matrix

from sentiment.bags import document_vectors
from sentiment.bags.document_vectors import DocumentVectors

WORDS = 40  # of each topic


def documents(number: int = 120, seed: int = 0) -> tuple[csr_matrix, np.ndarray]:
    """Counts of documents of two topics, and the topics: most words of one are its own."""
    rng = np.random.default_rng(seed)
    topics = np.arange(number) % 2
    own = rng.random((number, WORDS)) < 0.3
    other = rng.random((number, WORDS)) < 0.05
    counts = np.where(topics[:, None], np.hstack([own, other]), np.hstack([other, own]))
    return csr_matrix(counts.astype(float)), topics


def fitted(**changes: int) -> DocumentVectors:
    X, y = documents()
    y[20:] = -1  # most have no label
    return DocumentVectors(**{"dimensions": 8, "passes": 10, "seed": 0} | changes).fit(X, y)


def test_the_nearest_document_is_of_the_same_topic():
    X, topics = documents(40, seed=1)
    vectors = fitted().transform(X)
    assert vectors.shape == (40, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    assert (topics[cosines.argmax(axis=1)] == topics).mean() > 0.9


def test_a_gradient_is_that_of_the_log_likelihood():
    rng = np.random.default_rng(0)
    d, w = rng.standard_normal((2, 6)).astype(np.float32)

    def log_likelihood(d: np.ndarray, w: np.ndarray, target: int) -> float:
        logit = document_vectors.SHARPNESS * d @ w / np.linalg.norm(d) / np.linalg.norm(w)
        return -np.logaddexp(0, -logit if target else logit)

    for target in (0, 1):
        step, learned = np.zeros_like(d), w.copy()
        document_vectors._learn_pair(d, learned, target, 1.0, step)
        of_d = partial(log_likelihood, w=w, target=target)
        of_w = partial(log_likelihood, d, target=target)
        np.testing.assert_allclose(step, approx_fprime(d.astype(float), of_d), atol=1e-4)
        np.testing.assert_allclose(learned - w, approx_fprime(w.astype(float), of_w), atol=1e-4)


def test_a_vector_does_not_depend_on_the_other_documents():
    X, _ = documents(30, seed=1)
    transformer = fitted()
    together = transformer.transform(X)
    np.testing.assert_array_equal(transformer.transform(X[7:8]), together[7:8])
    np.testing.assert_array_equal(transformer.transform(X[::-1]), together[::-1])


def test_a_document_without_known_ngrams_has_zeros():
    vectors = fitted().transform(csr_matrix((1, 2 * WORDS)))
    np.testing.assert_array_equal(vectors, np.zeros((1, 8)))


def test_rare_ngrams_have_no_vector():
    X, y = documents()
    rare = np.eye(len(y))[:, :1]  # in one document
    X = csr_matrix(np.hstack([rare, X.toarray()]))
    transformer = DocumentVectors(4, 1, seed=0).fit(X, y)
    assert 0 not in transformer.columns_
    assert transformer.vectors_.shape == (len(transformer.columns_), 4)
    assert len(transformer.columns_) > 0


@pytest.mark.parametrize("changes", [{"seed": 1}, {"passes": 11}])
def test_seed_and_passes_change_the_vectors(changes):
    assert not np.array_equal(fitted().vectors_, fitted(**changes).vectors_)


DIGEST = """
import sys
sys.path[:0] = sys.argv[1:]
import hashlib
from test_document_vectors import documents, fitted
transformer = fitted(dimensions=128)
vectors = transformer.transform(documents(30, seed=1)[0])
print(hashlib.sha256(transformer.vectors_.tobytes() + vectors.tobytes()).hexdigest())
"""


def digest(**options) -> bytes:
    """What a process of its own prints."""
    folders = [Path(__file__).parent, *filter(None, sys.path)]
    command = [sys.executable, "-c", DIGEST, *folders]
    return subprocess.run(command, check=True, capture_output=True, **options).stdout


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="of Linux")
def test_one_core_and_two_give_the_same_bytes():
    cores = sorted(os.sched_getaffinity(0))
    limits = (partial(os.sched_setaffinity, 0, cores[:number]) for number in (1, 2))
    assert len({digest(preexec_fn=limit) for limit in limits}) == 1


@pytest.mark.slow
def test_code_just_compiled_and_code_from_numbas_cache_give_the_same_bytes(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    assert digest(env=environment) == digest(env=environment)
