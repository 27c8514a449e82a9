"""The command `sentiment`, also as `python -m sentiment`."""

from sentiment import console


def main() -> None:
    """Run the command, prepared for an interrupt while its modules are imported."""
    console.expect_interrupts()
    from sentiment import cli

    cli.main()


if __name__ == "__main__":
    main()
