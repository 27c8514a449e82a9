import numpy as np
import pytest

from sentiment import paths, prediction
from sentiment.models import SAVED
from sentiment.text import Encoder


@pytest.mark.parametrize("key", SAVED)
def test_a_saved_model_answers_in_probabilities(finished, key):
    texts = ["It was superb, not dull.", "It was dull, not superb.", ""]
    rows = Encoder.load(finished.root / paths.ENCODER).rows(texts)
    predict = prediction.load_predictor(finished.root / SAVED[key].path)
    probabilities = predict(texts, rows)
    assert probabilities.shape == (3,)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    np.testing.assert_array_equal(predict(texts, rows), probabilities)
