"""The compiled recurrence: forward and backward passes on NumPy arrays, without TensorFlow."""
