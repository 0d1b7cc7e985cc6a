"""The one graph of migrations; see docs/adr/0003 and `scaicms migrate --help`."""
