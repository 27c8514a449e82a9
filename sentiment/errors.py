"""The error for mistakes that the user can correct."""


class UserError(Exception):
    """Something that the user can mend: what was wrong, where, and what to do."""
