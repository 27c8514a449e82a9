import numpy as np
import pytest

from sentiment import prediction
from sentiment.encoding import Encoder

MODELS = ["baseline/ngrams.skops", "baseline/words.skops", "rnn/model.keras", "rnn/best.keras"]


@pytest.mark.parametrize("model", MODELS)
def test_a_saved_model_answers_in_probabilities(finished, model):
    data = finished.root / "data"
    texts = ["It was superb, not dull.", "It was dull, not superb.", ""]
    rows = Encoder.load(data / "padded/encoder.json").rows(texts)
    predict = prediction.load(data / model)
    probabilities = predict(texts, rows)
    assert probabilities.shape == (3,)
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    np.testing.assert_array_equal(predict(texts, rows), probabilities)
