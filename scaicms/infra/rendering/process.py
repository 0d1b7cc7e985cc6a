"""Renders texts in a process of its own: a line of JSON in, a line out, until the input ends.

Run by its path, without the environment of its parent. A text may have been made to take minutes or gigabytes: the
kernel ends the process when it needs too much processor time or memory, its parent when it takes too long.
"""

import ctypes
import resource
import signal
import sys

import orjson

from scaicms.infra.rendering.limits import CPU_SECONDS, MEMORY_BYTES
from scaicms.infra.rendering.work import ExcessError, perform

PR_SET_PDEATHSIG = 1


def bound() -> None:
    """Limit memory, and end with the parent (prctl(2))."""
    # Ctrl-C in a terminal is for the parent, which ends this process by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(line: bytes) -> dict[str, object]:
    """The answer to one request. The timer ends the process by SIGPROF, whatever it is doing."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        operation, values = orjson.loads(line)
        return {"results": perform(operation, values)}
    except ExcessError as error:
        index, reason = error.args
        return {"index": index, "reason": reason}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def main() -> None:
    bound()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(orjson.dumps(answer(line)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
