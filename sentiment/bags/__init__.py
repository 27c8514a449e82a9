"""Bags of words and of n-grams, with scikit-learn."""
