"""scaiCMS: a multi-site, API-first content management system driven by durable jobs."""

import sys

# structlog takes rich for tracebacks wherever it is installed: 3 MB that web and workers have no use for. It is loaded
# here, before anybody else does it, with rich out of its sight.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]  # what `import` understands as "not there"
import structlog as _structlog  # noqa: E402, F401 - loaded so that nobody loads it otherwise

del sys.modules["rich"]
if _rich is not None:
    sys.modules["rich"] = _rich

__version__ = "0.1.0"
