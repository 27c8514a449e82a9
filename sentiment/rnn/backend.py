"""Keras and TensorFlow, imported without TensorFlow's greetings."""

import warnings

from sentiment import console
from sentiment.errors import UserError

with console.hushed():  # they go to standard error at any log level
    import keras
    import tensorflow as tf

PINNED = ("tensorflow", "float32", 1e-7)
if (keras.config.backend(), keras.config.floatx(), keras.config.epsilon()) != PINNED:
    raise UserError("Keras was imported with other settings already: import `sentiment` first")

# Of the maximum over all states: what padding adds to it is meant to be there.
warnings.filterwarnings("ignore", "Layer 'max_states'.* was passed an input with a mask")

__all__ = ["keras", "tf"]
