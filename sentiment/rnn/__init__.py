"""Recurrent networks, with Keras and the compiled recurrence."""
