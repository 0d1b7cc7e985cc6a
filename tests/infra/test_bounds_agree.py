"""Bounds of different parts that only work together."""

from scaicms.infra.db.sessions import SILENT_SECONDS
from scaicms.infra.rendering.limits import WALL_SECONDS, WORKER_WALL_SECONDS
from scaicms.settings import Settings


def test_a_transaction_that_waits_for_a_rendering_outlives_it():
    idle_in_transaction = 2 * Settings.model_fields["web_statement_timeout"].default
    assert idle_in_transaction > WALL_SECONDS
    assert WORKER_WALL_SECONDS < SILENT_SECONDS
