"""Keras and TensorFlow, without TensorFlow's greetings and without the tuner of its data sets."""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from sentiment import console
from sentiment.errors import UserError

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

with console.hushed():  # they go to standard error at any log level
    import keras
    import tensorflow as tf

PINNED = ("tensorflow", "float32", 1e-7)
if (keras.config.backend(), keras.config.floatx(), keras.config.epsilon()) != PINNED:
    raise UserError("Keras was imported with other settings already: import `sentiment` first")

# Of the maximum over all states: what padding adds to it is meant to be there.
warnings.filterwarnings("ignore", "Layer 'max_states'.* was passed an input with a mask")

__all__ = ["dataset_of", "keras", "tf"]


def dataset_of(
    batches: "SupportsLenAndGetItem[tuple[np.ndarray, np.ndarray]]", steps: int | None
) -> tf.data.Dataset:
    """Return what Keras reads batches from, in their present order each time.

    Keras's own data set tunes itself: each epoch waits at its end until the tuner's thread wakes.

    Args:
        batches: Token ids, (reviews, steps), and labels, (reviews,).
        steps: None if batches differ in them.
    """
    x, y = batches[0]
    kinds = tf.TensorSpec((None, steps), x.dtype), tf.TensorSpec((None,), y.dtype)
    dataset = tf.data.Dataset.from_generator(lambda: batches, output_signature=kinds)
    options = tf.data.Options()
    options.autotune.enabled = False
    length = tf.data.experimental.assert_cardinality(len(batches))
    return dataset.apply(length).with_options(options)
