"""Runs named child processes in one terminal: coloured lines, restarts, an orderly end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from watchfiles import PythonFilter, awatch

from scaicms.embedded.engine import Engine
from scaicms.embedded.guardian import Guardian

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
MIN_BACKOFF_SECONDS = 0.5
BACKOFF_CAP_SECONDS = 10.0
STABLE_SECONDS = 10.0


class ChildFailedError(RuntimeError):
    """A child that must run has ended."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. `essential` children end the run when they end; the others are started again with back-off."""

    name: str
    command: Sequence[str]
    colour: str
    env: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    essential: bool = False
    reload: bool = False


class Child:
    """A running child."""

    def __init__(self, spec: ChildSpec, process: asyncio.subprocess.Process) -> None:
        self.spec = spec
        self.process = process
        self.stopping = False
        self.delay = MIN_BACKOFF_SECONDS

    async def stop(self) -> None:
        """Signal it, and kill it if it does not end within 30 s."""
        self.stopping = True
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.spec.stop_signal)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class Supervisor:
    """Starts children in the order given and stops them in the reverse one."""

    def __init__(self, console: Console, guardian: Guardian) -> None:
        self._console = console
        self._guardian = guardian
        self._children: dict[str, Child] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._width = 8

    async def start_engine(self, engine: Engine, colour: str) -> None:
        """Run an embedded engine and wait until it answers."""
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
        """Run a child; its lines appear under its name."""
        process = await asyncio.create_subprocess_exec(
            *spec.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **spec.env},
            start_new_session=True,
            limit=1024 * 1024,
            **spec.options,
        )
        self._guardian.watch(process.pid, spec.stop_signal)
        child = self._children[spec.name] = Child(spec, process)
        self._spawn(self._copy_lines(child))
        self._spawn(self._mind(child))
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
        """Go on until SIGINT, SIGTERM or SIGHUP, or until an essential child ends. Changed sources restart children."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop.set)
        if watch:
            self._spawn(self._reload(watch))
        self._failed.add_done_callback(lambda _: stop.set())
        await stop.wait()
        if self._failed.done():
            self._failed.result()

    async def stop(self) -> None:
        """Stop everything, newest first; a second Ctrl-C kills at once."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._kill_all)
        for child in self._children.values():
            child.stopping = True
        plain = [child for child in self._children.values() if not child.spec.essential]
        await asyncio.gather(*(child.stop() for child in plain))
        for child in reversed([child for child in self._children.values() if child.spec.essential]):
            await child.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._guardian.dismiss()

    def _kill_all(self) -> None:
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _copy_lines(self, child: Child) -> None:
        stream = child.process.stdout
        while stream is not None and (line := await stream.readline()):
            text = Text(f"{child.spec.name:<{self._width}} ", style=child.spec.colour)
            text.append_text(Text.from_ansi(line.decode(errors="replace").rstrip()))
            self._console.print(text, soft_wrap=True)

    async def _mind(self, child: Child) -> None:
        """What happens when a child ends by itself."""
        started = asyncio.get_running_loop().time()
        code = await child.process.wait()
        if child.stopping:
            return
        if child.spec.essential:
            if not self._failed.done():
                self._failed.set_exception(ChildFailedError(f"{child.spec.name} ended with code {code}"))
            return
        stable = asyncio.get_running_loop().time() - started > STABLE_SECONDS
        delay = MIN_BACKOFF_SECONDS if stable else min(child.delay * 2, BACKOFF_CAP_SECONDS)
        self._console.print(f"[yellow]{child.spec.name} ended with code {code}; again in {delay:g} s[/]")
        await asyncio.sleep(delay)
        if not child.stopping:
            (await self.start(child.spec)).delay = delay

    async def _reload(self, folders: Sequence[Path]) -> None:
        async for changes in awatch(*folders, watch_filter=PythonFilter(extra_extensions=(".html", ".sql"))):
            names = ", ".join(sorted({Path(path).name for _, path in changes})[:3])
            self._console.print(f"[cyan]{names} changed: restarting[/]")
            for child in [c for c in self._children.values() if c.spec.reload]:
                await child.stop()
                await self.start(child.spec)
