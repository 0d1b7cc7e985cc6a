"""Has files read, each by a process of its own (`process.py`)."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scaicms.kit.errors import StorageFullError
from scaicms.kit.schemas import DEFER

SCRIPT = Path(__file__).with_name("process.py")
SECONDS = 60.0
"""How long a file may be read; by the clock, also where the process waits."""
MAX_ANSWER_BYTES = 64 * 1024
MAX_SIDE = 100_000


class UnreadableError(Exception):
    """The file cannot be read, however often one tries; says why."""


class InterruptedReadError(Exception):
    """The process ended without an answer: by the file, or by somebody who ended it."""


class _Said(BaseModel):
    """What the process says. It may say anything: it has met the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=DEFER)


class VariantFacts(_Said):
    """A variant, which lies in the folder under its name."""

    name: Literal["small", "medium", "large"]
    width: int = Field(ge=1, le=MAX_SIDE)
    height: int = Field(ge=1, le=MAX_SIDE)
    size: int = Field(ge=1)


class Facts(_Said):
    """What a file is. All but the type are of raster images."""

    content_type: str = Field(pattern=r"^[a-z]+/[A-Za-z0-9.+_-]{1,100}$")
    width: int | None = Field(default=None, ge=1, le=MAX_SIDE)
    height: int | None = Field(default=None, ge=1, le=MAX_SIDE)
    blurhash: str | None = Field(default=None, max_length=100, pattern=r"^[\x21-\x7e]+$")
    color: str | None = Field(default=None, pattern=r"^#[0-9a-f]{6}$")
    exif: dict[Annotated[str, Field(max_length=50)], Annotated[str, Field(max_length=200)] | float] = Field(
        default_factory=dict, max_length=50
    )
    variants: list[VariantFacts] = Field(default_factory=list, max_length=10)


class _NoSpace(_Said):
    no_space: Literal[True]


class _Problem(_Said):
    problem: str = Field(max_length=300)


class MediaReader:
    """Reads files for one worker."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    async def read(self, path: Path, folder: Path, *, filename: str, raster_type: str | None) -> Facts:
        """What a file is; variants of an image lie in `folder` afterwards.

        Raises:
            UnreadableError: it begins like an image and is none that can be read.
            InterruptedReadError: the process came to an end, or took too long.
            StorageFullError: there is no space left for what it makes of the file.
        """
        said = await self._ask(path, folder, filename, raster_type or "")
        try:
            return Facts.model_validate_json(said)
        except ValidationError:
            with suppress(ValidationError):
                _NoSpace.model_validate_json(said)
                raise StorageFullError from None
            with suppress(ValidationError):
                raise UnreadableError(_Problem.model_validate_json(said).problem) from None
            raise InterruptedReadError("said nothing that makes sense") from None

    async def _ask(self, path: Path, folder: Path, filename: str, raster_type: str) -> bytes:
        # -P: beside the script lie modules that are named like the standard library's. And nothing of our environment,
        # which holds the addresses and secrets of everything.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            str(SCRIPT),
            str(path),
            str(folder),
            filename,
            raster_type,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8"},
            cwd=folder,
        )
        try:
            async with asyncio.timeout(self._seconds):
                said = await self._answer(process)
                code = await process.wait()
        except TimeoutError:
            raise UnreadableError(f"It took longer than {self._seconds:g} s to read.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            raise InterruptedReadError(f"ended with {code}")
        return said

    async def _answer(self, process: asyncio.subprocess.Process) -> bytes:
        if process.stdout is None:
            raise RuntimeError("there is no pipe")
        said = b""
        while chunk := await process.stdout.read(MAX_ANSWER_BYTES):
            said += chunk
            if len(said) > MAX_ANSWER_BYTES:
                raise InterruptedReadError("said too much")
        return said
