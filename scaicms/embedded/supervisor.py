"""Runs named child processes in one terminal: coloured lines, restarts, an orderly end."""

import asyncio
import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from watchfiles import PythonFilter, awatch

from scaicms.embedded.engine import Engine
from scaicms.embedded.guardian import Guardian

READY_SECONDS = 30.0
# A restart lets a child finish what it has begun. At the end of the run somebody waits for the prompt; what is cut
# short then is done again, because the ledger has it. Engines get the time to write down what they hold.
DRAIN_SECONDS = 30.0
END_SECONDS = 5.0
ENGINE_END_SECONDS = 10.0
LAST_LINES_SECONDS = 1.0
POLL_SECONDS = 0.05
MIN_BACKOFF_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 10.0
STABLE_SECONDS = 10.0
MAX_LINE_BYTES = 1024 * 1024


class ChildFailedError(RuntimeError):
    """A child that must run cannot, or has ended."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. `essential` children end the run when they end; the others are started again with back-off.

    `reload` children are restarted when a watched source changes.
    """

    name: str
    command: Sequence[str]
    colour: str
    env: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    essential: bool = False
    reload: bool = False


class Child:
    """A running child. It leads a process group, which is stopped with it."""

    def __init__(self, spec: ChildSpec, process: asyncio.subprocess.Process) -> None:
        self.spec = spec
        self.process = process
        self.stopping = False
        self.delay = MIN_BACKOFF_SECONDS

    async def ended(self) -> int:
        """Its exit code, once it has one. (asyncio's `wait` wants the end of the output too: grandchildren hold it.)"""
        while (code := self.process.returncode) is None:  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(POLL_SECONDS)
        return code

    async def stop(self, seconds: float) -> None:
        """Signal it, and kill it if it does not end within `seconds`."""
        self.stopping = True
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(seconds):
                await self.ended()
        except TimeoutError:
            self.kill_group()
            await self.ended()
        self.kill_group()

    def kill_group(self) -> None:
        """Kill it and whatever it has left in its group. Right after its end at the latest: ids are used again."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """Starts children in the order given and stops them in the reverse one."""

    def __init__(self, console: Console, guardian: Guardian) -> None:
        self._console = console
        self._guardian = guardian
        self._children: dict[str, Child] = {}
        self._engines: list[Engine] = []
        # A crash and a changed source may want the same child started again at the same time.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._minders: set[asyncio.Task[None]] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whoever waits gets it; where nobody does, the run ends for another reason, and that is told instead.
        self._failed.add_done_callback(lambda failed: failed.exception())
        self._closing = False
        self._width = 8

    async def start_engine(self, engine: Engine, colour: str) -> None:
        """Run an embedded engine and wait until it answers.

        Raises:
            ChildFailedError, EngineError, HomeInUseError: it cannot run.
        """
        self._engines.append(engine)
        await asyncio.to_thread(engine.prepare)
        spec = ChildSpec(
            engine.name,
            engine.command(),
            colour,
            options=engine.options(),
            stop_signal=engine.stop_signal,
            essential=True,
        )
        child = await self.start(spec)
        await asyncio.to_thread(engine.wait_ready, lambda: child.process.returncode is None)

    async def start(self, spec: ChildSpec) -> Child:
        """Run a child; its lines appear under its name.

        Raises:
            ChildFailedError: there is no such program, or the end of the run has begun.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *spec.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **spec.env, **self._guardian.environment},
                start_new_session=True,
                limit=MAX_LINE_BYTES,
                **spec.options,
            )
        except OSError as error:
            raise ChildFailedError(f"{spec.name} cannot be run: {error}") from error
        child = Child(spec, process)
        if self._closing:
            await child.stop(0)
            raise ChildFailedError(f"{spec.name} was not started: everything is being stopped")
        self._guardian.watch(process.pid, spec.stop_signal)
        self._children[spec.name] = child
        self._spawn(self._copy_lines(child), self._readers)
        self._spawn(self._mind(child), self._minders)
        return child

    async def wait_until(self, ready: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait up to 30 s.

        Raises:
            ChildFailedError: it did not happen, or an essential child ended.
        """
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await ready():
                    if self._failed.done():
                        self._failed.result()
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise ChildFailedError(
                f"{what} was not ready within {READY_SECONDS:g} s; its lines above say why"
            ) from None

    async def run(self, *, watch: Sequence[Path] = ()) -> None:
        """Go on until SIGINT, SIGTERM or SIGHUP, or until an essential child ends. Changed sources restart children.

        Raises:
            ChildFailedError: an essential child ended.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        if watch:
            self._spawn(self._reload(watch), self._minders)
        self._failed.add_done_callback(lambda _: stop.set())
        if self._failed.done():
            self._failed.result()
        await stop.wait()
        if self._failed.done():
            self._failed.result()

    async def stop(self) -> None:
        """Stop everything, newest first; a second Ctrl-C kills at once."""
        self._closing = True
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._kill_all)
        await _cancel(self._minders)
        children = list(self._children.values())
        await asyncio.gather(*(child.stop(END_SECONDS) for child in children if not child.spec.essential))
        for child in reversed(children):
            if child.spec.essential:
                await child.stop(ENGINE_END_SECONDS)
        if self._readers:
            await asyncio.wait(self._readers, timeout=LAST_LINES_SECONDS)
        await _cancel(self._readers)
        for engine in self._engines:
            engine.release()
        self._guardian.dismiss()

    def _kill_all(self) -> None:
        for child in self._children.values():
            if child.process.returncode is None:
                child.kill_group()

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _copy_lines(self, child: Child) -> None:
        """Read to the end whatever happens: a child whose output nobody reads stands still."""
        stream = child.process.stdout
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:
                line = f"(a line of more than {MAX_LINE_BYTES} bytes is not shown)".encode()
            if not line:
                return
            text = Text(f"{child.spec.name:<{self._width}} ", style=child.spec.colour)
            text.append_text(Text.from_ansi(line.decode(errors="replace").rstrip()))
            with contextlib.suppress(OSError):  # our own output is closed
                self._console.print(text, soft_wrap=True)

    async def _mind(self, child: Child) -> None:
        """What happens when a child ends by itself."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        code = await child.ended()
        if child.stopping:
            return
        child.kill_group()
        if child.spec.essential:
            if not self._failed.done():
                self._failed.set_exception(ChildFailedError(f"{child.spec.name} {_end(code)}; its lines above say why"))
            return
        delay = MIN_BACKOFF_SECONDS if loop.time() - started > STABLE_SECONDS else child.delay
        self._console.print(f"[yellow]{child.spec.name} {_end(code)}; again in {delay:g} s[/]")
        await asyncio.sleep(delay)
        async with self._locks[child.spec.name]:
            if not child.stopping:
                await self._start_again(child.spec, min(delay * 2, BACKOFF_CAP_SECONDS))

    async def _start_again(self, spec: ChildSpec, delay: float) -> None:
        """Until it starts; the environment may be in the middle of an installation."""
        while True:
            try:
                (await self.start(spec)).delay = delay
            except ChildFailedError as error:
                self._console.print(f"[yellow]{error}; again in {delay:g} s[/]", highlight=False)
                await asyncio.sleep(delay)
                delay = min(delay * 2, BACKOFF_CAP_SECONDS)
            else:
                return

    async def _reload(self, folders: Sequence[Path]) -> None:
        source = PythonFilter(extra_extensions=(".html", ".sql"))
        try:
            async for changes in awatch(*folders, watch_filter=source):
                names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
                self._console.print(f"[cyan]{names} changed: restarting[/]")
                await asyncio.gather(*(self._restart(name) for name, c in self._children.items() if c.spec.reload))
        except (OSError, RuntimeError) as error:  # a folder is gone, or the system's limit of watches is reached
            self._console.print(f"[yellow]Sources are no longer watched: {error}[/]", highlight=False)

    async def _restart(self, name: str) -> None:
        async with self._locks[name]:
            child = self._children[name]
            await child.stop(DRAIN_SECONDS)
            await self._start_again(child.spec, MIN_BACKOFF_SECONDS)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _end(code: int) -> str:
    return f"ended with code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
