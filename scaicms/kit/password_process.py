"""argon2id (RFC 9106) with OWASP's parameters, in a process of its own: one line of JSON in, one out, until the end.

Run by its path, with nothing of scaiCMS in it: it starts in some 50 ms and is gone when whoever started it is.
"""

import json
import os
import signal
import sys

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

NICENESS = 10
HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def verify(stored: str | None, password: str, nobody: str) -> bool:
    """Whether it is the password; against nobody's hash when none is stored, so that the answer takes as long."""
    usable = stored is not None and stored.startswith("$argon2id$")
    try:
        return HASHER.verify(stored if stored is not None and usable else nobody, password) and usable
    except (VerificationError, InvalidHashError):
        return False


def answer(asked: dict[str, str], nobody: str) -> str | bool:
    password = asked["password"]
    return verify(asked["stored"], password, nobody) if "stored" in asked else HASHER.hash(password)


def main() -> None:
    # Ctrl-C in a terminal is for the process that waits for our answer, which ends us by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)  # where cores are few, event loops go first
    nobody = HASHER.hash(os.urandom(16))
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answer(json.loads(line), nobody)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
