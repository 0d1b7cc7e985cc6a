"""Patterns that users write: RE2 syntax, searched in linear time whatever the pattern or the text.

https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from collections.abc import Sequence

import re2  # the package ships no types


class PatternError(ValueError):
    """The pattern is not valid in RE2; the message says why."""


class Pattern:
    """A compiled pattern. Raises `PatternError`."""

    def __init__(self, pattern: str) -> None:
        options = re2.Options()
        options.log_errors = False  # a user's mistake is for the user, not for the server's log
        try:
            self._compiled = re2.compile(pattern, options)
        except re2.error as error:
            reason = error.args[0] if error.args else "not a pattern"
            shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise PatternError(shown) from error

    @property
    def groups(self) -> int:
        return int(self._compiled.groups)

    def search(self, text: str) -> Sequence[str] | None:
        """The first match and its groups, those without a part in it empty; None where nothing matches."""
        match = self._compiled.search(text)
        return None if match is None else [match.group(0), *match.groups(default="")]
