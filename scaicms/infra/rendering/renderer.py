"""Has texts rendered: small ones in place, others by processes that end when a text exceeds its bounds."""

import asyncio
import atexit
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import orjson

import scaicms
from scaicms.infra.rendering import work
from scaicms.infra.rendering.limits import (
    COSTLY_SECONDS,
    SMALL_HTML,
    SMALL_TEXT,
    WALL_SECONDS,
    WORKER_WALL_SECONDS,
    WORN_ANSWER,
)
from scaicms.infra.rendering.work import ExcessError, Operation
from scaicms.kit import json, markdown
from scaicms.kit.errors import UnavailableError

SCRIPT = Path(__file__).with_name("process.py")
PROCESSES = max(1, (os.cpu_count() or 2) // 2)
MAX_WAITING = 50 * PROCESSES
_BUSY = "Texts cannot be rendered at the moment; try again."
_TOO_SLOW = "takes too long to render"


class Text(NamedTuple):
    """A value of a `markdown` or `richtext` field."""

    kind: str
    value: Any


class UnrenderableError(Exception):
    """A text exceeds a bound; `index` is that of the text, None when only all together do."""

    def __init__(self, index: int | None, reason: str) -> None:
        super().__init__(reason)
        self.index, self.reason = index, reason


def be_patient() -> None:
    """Let texts of this process take as long as workers may wait."""
    _Question.wall_seconds = WORKER_WALL_SECONDS


async def to_html(texts: Sequence[Text]) -> list[str]:
    """Sanitised HTML of each text.

    Raises:
        UnrenderableError: a text exceeds a bound.
        UnavailableError: no process is free in time.
    """
    return cast(list[str], await _perform("html", texts))


async def to_words(texts: Sequence[Text]) -> list[str]:
    """The words of each text, for search; the errors of `to_html`."""
    return cast(list[str], await _perform("words", texts))


async def check_texts(texts: Sequence[Text]) -> None:
    """Refuse texts that the sanitiser could not parse in time; the errors of `to_html`."""
    await _perform("check", texts)


async def _perform(operation: Operation, texts: Sequence[Text]) -> list[str | None]:
    if _are_small(texts):
        try:
            return work.perform(operation, texts)
        except ExcessError as error:
            raise UnrenderableError(*error.args) from None
    line = json.dumps([operation, [tuple(text) for text in texts]]) + b"\n"
    return _read(await _ask(line))


def _are_small(texts: Sequence[Text]) -> bool:
    """Whether all texts together are rendered in milliseconds, whatever they are."""
    size = 0
    for kind, value in texts:
        size += len(value) if kind == "markdown" else len(json.dumps(value))
        if size > SMALL_TEXT:
            return False
    return sum(markdown.parsed_size(value) for kind, value in texts if kind == "markdown") <= SMALL_HTML


def _read(answer: bytes) -> list[str | None]:
    found = orjson.loads(answer)
    if "reason" in found:
        raise UnrenderableError(found["index"], found["reason"])
    results: list[str | None] = found["results"]
    return results


class _Process:
    """A rendering process, for the one thread that waits for it."""

    def __init__(self) -> None:
        # -P: beside the script lie modules that are named like the standard library's. Nothing of our environment,
        # which holds addresses and secrets.
        root = str(Path(scaicms.__file__).parents[1])
        self._popen = subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PYTHONPATH": root},
        )
        atexit.register(self.end)

    def ask(self, question: bytes) -> bytes:
        """The line that it answers; an empty one when it has ended."""
        to, fro = cast(IO[bytes], self._popen.stdin), cast(IO[bytes], self._popen.stdout)
        try:
            to.write(question)
            to.flush()
        except BrokenPipeError:
            return b""
        return fro.readline()

    def cpu_seconds(self) -> float:
        """Processor time until now, by proc(5); 0 where there is none."""
        try:
            fields = Path(f"/proc/{self._popen.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        self._popen.kill()

    def end(self) -> int:
        """Close its input and wait until it has gone; its exit code."""
        atexit.unregister(self.end)
        self._popen.communicate()
        return self._popen.returncode


_threads = ThreadPoolExecutor(PROCESSES, thread_name_prefix="rendering")
_of_thread = threading.local()


class _Question:
    """A request on its way through a thread, which may be given up."""

    waiting = 0
    wall_seconds = WALL_SECONDS

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._process: _Process | None = None
        self._cpu_before = 0.0
        self._is_given_up = False

    def give_up(self) -> float:
        """Let the thread go on with others; the processor time that was spent in vain."""
        self._is_given_up = True
        process, spent = self._process, 0.0
        if process is not None:
            spent = process.cpu_seconds() - self._cpu_before
            process.kill()
        return spent

    def exchange(self) -> bytes:
        """Ask the process of this thread, or another in its place if it was killed."""
        for _ in range(2):
            if self._is_given_up:
                break
            process: _Process | None = getattr(_of_thread, "process", None)
            if process is None:
                process = _of_thread.process = _Process()
            self._cpu_before = process.cpu_seconds()
            self._process = process
            answer = process.ask(self._line)
            self._process = None
            if answer and len(answer) <= WORN_ANSWER:
                return answer
            _of_thread.process = None
            code = process.end()
            if answer:
                return answer
            _refuse(code)
        raise UnavailableError(_BUSY)


def _refuse(code: int) -> None:
    """Raise for a process that the text itself has ended; return for one that somebody else has."""
    if code == -signal.SIGPROF:
        raise UnrenderableError(None, _TOO_SLOW)
    if code in (-signal.SIGABRT, -signal.SIGSEGV, 1):
        raise UnrenderableError(None, "takes more memory to render than one text may")


async def _ask(line: bytes) -> bytes:
    if _Question.waiting >= MAX_WAITING:
        raise UnavailableError(_BUSY)
    question = _Question(line)
    _Question.waiting += 1
    try:
        async with asyncio.timeout(_Question.wall_seconds):
            return await asyncio.get_running_loop().run_in_executor(_threads, question.exchange)
    except TimeoutError:
        if question.give_up() > COSTLY_SECONDS:
            raise UnrenderableError(None, _TOO_SLOW) from None
        raise UnavailableError(_BUSY) from None
    finally:
        question.give_up()
        _Question.waiting -= 1
