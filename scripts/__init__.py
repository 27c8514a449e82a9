"""What make runs beside the stages, each a program of its own: `python -m scripts.verify`."""

from sentiment import console

console.expect_interrupts()
