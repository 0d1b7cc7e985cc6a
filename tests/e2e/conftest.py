"""Processes that a test starts with settings of its own."""

import asyncio
import os
import signal

import pytest

from tests.e2e.starting import ROOT
from tests.e2e.test_commands import free_port


@pytest.fixture
async def start(database, tmp_path):
    """Start a command with these settings."""
    port = free_port()
    env = {
        **os.environ,
        "SCAICMS_ENV": "test",
        "SCAICMS_HOME": str(tmp_path),
        "SCAICMS_PORT": str(port),
        "SCAICMS_SECRET": database.secret.get_secret_value(),
        "SCAICMS_START_WAIT_SECONDS": "1",
        "DATABASE_URL": database.database_url,
        "REDIS_URL": database.redis_url,
    }

    started = []

    async def start(command, **changed):
        changed = {name: str(value) for name, value in changed.items()}
        process = await asyncio.create_subprocess_exec(
            *command, env={**env, **changed}, cwd=ROOT, stdin=-3, stdout=-1, stderr=-2
        )
        process.port = port
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()
