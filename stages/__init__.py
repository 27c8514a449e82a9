"""The stages of the pipeline, each a program of its own: `python -m stages.train`."""

from sentiment import console

console.expect_interrupts()  # here, since a stage's imports take seconds
