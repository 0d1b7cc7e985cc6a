"""One folder a route group, all shaped alike; see docs/architecture.md."""
