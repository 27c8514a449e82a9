"""The colours of figures, the page and the terminal.

They are Okabe and Ito's, which colour-blind people can distinguish.
"""

BLUE, ORANGE, GREEN, PINK, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"
GREY = "#B0B0B0"
POSITIVE, NEGATIVE = BLUE, ORANGE


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the red, green and blue of a colour, from 0 to 255.

    Example:
        >>> rgb("#0072B2")
        (0, 114, 178)
    """
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
