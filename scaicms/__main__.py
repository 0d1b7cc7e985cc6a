"""`python -m scaicms`."""

from scaicms.cli import main

main()
