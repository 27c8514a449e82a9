"""The error for mistakes that the user can correct."""


class UserError(Exception):
    """A mistake that the user can correct: what is wrong, where, and what to do."""
