import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.evaluation import blend

probabilities = st.lists(st.floats(0, 1, width=32), min_size=1).map(np.float32)


def test_blend_by_hand():
    # Log-odds log 3 and -log 9; their mean is -log 3 / 2, a quarter and three make -5 log 3 / 4.
    first, second = np.array([0.75]), np.array([0.1])
    assert blend.blend(first, second, 0.5) == pytest.approx(1 / (1 + math.sqrt(3)))
    assert blend.blend(first, second, 0.25) == pytest.approx(1 / (1 + 3**1.25))


@given(probabilities)
def test_a_blend_with_itself_or_of_one_alone_is_the_model(said):
    other = said[::-1]
    for blended in (blend.blend(said, said, 0.3), blend.blend(said, other, 1)):
        np.testing.assert_allclose(blended, said, atol=2 * blend.MIN_PROBABILITY)


@given(probabilities, st.sampled_from(blend.WEIGHTS))
def test_a_blend_lies_between_its_models(said, weight):
    other = said[::-1]
    blended = blend.blend(said, other, weight)
    assert (blended >= np.minimum(said, other) - 2 * blend.MIN_PROBABILITY).all()
    assert (blended <= np.maximum(said, other) + 2 * blend.MIN_PROBABILITY).all()


def test_all_the_weight_goes_to_the_only_model_that_knows_anything():
    labels = np.array([0, 1, 1, 0])
    knowing, guessing = np.where(labels, 0.9, 0.1), np.array([0.7, 0.3, 0.6, 0.4])
    assert blend.choose_weight(knowing, guessing, labels) == 1
    assert blend.choose_weight(guessing, knowing, labels) == 0


def test_two_equally_good_models_weigh_the_same():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 20_000)
    # Evidence of mean 1 or -1 and deviation 1 has the log-odds 2 x.
    evidence = (2 * labels - 1)[:, None] + generator.normal(size=(20_000, 2))
    first, second = 1 / (1 + np.exp(-2 * evidence)).T
    assert blend.choose_weight(first, second, labels) == pytest.approx(0.5, abs=0.05)
    assert blend.choose_weight(generator.permutation(first), second, labels) == 0


def test_certainty_that_is_wrong_has_a_finite_price():
    labels = np.array([0, 1])
    wrong, unsure = np.array([1.0, 0.0]), np.array([0.5, 0.5])
    assert blend.choose_weight(wrong, unsure, labels) == 0
    assert np.isfinite(blend.blend(wrong, unsure, 0.5)).all()
