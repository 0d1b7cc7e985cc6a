"""A console for tables."""

from rich.console import Console

PIPED_WIDTH = 200


def table_console() -> Console:
    """As wide as the terminal; where there is none, wide enough that a program reading it finds whole words."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPED_WIDTH)
