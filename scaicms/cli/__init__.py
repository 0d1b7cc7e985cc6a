"""The command line, `scaicms`."""

from scaicms.cli.main import main

__all__ = ["main"]
