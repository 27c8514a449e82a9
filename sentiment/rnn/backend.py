"""Keras and TensorFlow, imported without TensorFlow's greetings."""

import warnings

from sentiment import console

with console.hushed():  # they go to standard error at any log level
    import keras
    import tensorflow as tf

# Of the maximum over all states: what padding adds to it is meant to be there.
warnings.filterwarnings("ignore", "Layer 'max_states'.* was passed an input with a mask")

__all__ = ["keras", "tf"]
