"""Keras and TensorFlow, imported without TensorFlow's greetings."""

from sentiment import console

with console.hushed():  # they go to standard error at any log level
    import keras
    import tensorflow as tf

__all__ = ["keras", "tf"]
