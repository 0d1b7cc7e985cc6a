"""Facts. An event is written in the transaction that makes it true, and frozen there."""

from scaicms.infra.events.record import Event, Fanout, bind, fan_out, known, record, record_many, subscribe_all

__all__ = ["Event", "Fanout", "bind", "fan_out", "known", "record", "record_many", "subscribe_all"]
