"""What webhooks make of facts: one delivery, and its job, for each that asks for them; in the statement that writes
the facts, whoever writes them (docs/adr/0028)."""

from scaicms.features.webhooks.jobs import DELIVER
from scaicms.infra.events import Fanout

# `time_id()` makes ids as `kit.ids.new_id` does.
FANOUT = Fanout(
    f"""
matched AS MATERIALIZED (
    SELECT time_id() AS id, time_id() AS job_id, h.id AS webhook_id, e.site_id, e.id AS event_id, e.type, e.version,
           e.occurred_at, jsonb_build_object('id', e.aggregate_id) || e.payload AS payload
    FROM along e JOIN webhooks h ON h.site_id = e.site_id
    WHERE e.type = ANY({{leaving}}) AND h.is_active
      AND h.events && ARRAY[e.type::text, split_part(e.type, '.', 1) || '.*', '*']
      AND (h.content_types IS NULL OR NOT e.payload ? 'content_type'
           OR e.payload->>'content_type' = ANY(h.content_types))),
delivered AS (
    INSERT INTO webhook_deliveries (id, webhook_id, site_id, event_id, event_type, event_version, occurred_at, payload,
                                    is_test, state, attempts, step, next_at, job_id, created_at)
    SELECT id, webhook_id, site_id, event_id, type, version, occurred_at, payload, false, 'pending', 0, 0, now(),
           job_id, now() FROM matched),
followed AS (
    INSERT INTO jobs (id, queue, name, version, payload, site_id, dedupe_key, priority, max_attempts, run_at,
                      created_at)
    SELECT job_id, '{DELIVER.queue}', '{DELIVER.name}', {DELIVER.version}, jsonb_build_object('delivery_id', id),
           site_id, 'delivery:' || id, {DELIVER.priority}, {DELIVER.max_attempts}, now(), now() FROM matched
    RETURNING id, queue)
"""
)
