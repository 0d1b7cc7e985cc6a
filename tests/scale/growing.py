"""Rows of everything beside content, by SQL: what an installation has after years."""

from dataclasses import asdict, dataclass
from uuid import UUID

import asyncpg

from scaicms.infra.db.dsn import parse_dsn
from tests.scale import seeding

MANY, FEWER = seeding.ITEMS, seeding.ITEMS // 4


@dataclass(frozen=True)
class Owners:
    """Whose the rows are."""

    site: UUID
    webhook: UUID
    group: UUID
    role: UUID
    type: UUID
    item: UUID
    """Has many revisions, and much is scheduled for it."""
    admin: UUID


def _id(salt: str) -> str:
    """An id that grows with `n`, as UUIDv7 does with time."""
    digits = f"md5('{salt}' || n)"
    head = "lpad(to_hex(1700000000000 + n::bigint), 12, '0')"
    return f"({head} || '7' || substr({digits}, 1, 3) || '8' || substr({digits}, 4, 15))::uuid"


_MANY = (
    f"""INSERT INTO users (id, email, name, password_hash, is_active, created_at, updated_at)
        SELECT {_id("u")}, 'user-' || n || '@example.com', 'User ' || n, 'x', n % 3 > 0, now(), now() FROM series""",
    f"""INSERT INTO group_members (id, group_id, user_id, created_at)
        SELECT {_id("m")}, '{{group}}', {_id("u")}, now() FROM series WHERE n % 2 = 0""",
    f"""INSERT INTO role_assignments (id, user_id, role_id, site_id)
        SELECT {_id("r")}, {_id("u")}, '{{role}}', '{{site}}' FROM series WHERE n % 2 = 0""",
    f"""INSERT INTO jobs (id, queue, name, version, payload, site_id, state, priority, attempts, max_attempts,
                          lost_leases, rings, fence, run_at, cancel_requested, created_at, finished_at)
        SELECT {_id("j")}, CASE n % 5 WHEN 0 THEN 'default' ELSE 'search' END, 'name' || n % 7, 1, '{{{{}}}}',
               '{{site}}', CASE WHEN n % 10 < 5 THEN 'done' WHEN n % 10 < 8 THEN 'dead' ELSE 'pending' END,
               0, 1, 3, 0, 0, 1, now() + interval '1 day', false, now() - (1000000 - n) * interval '1 second',
               CASE WHEN n % 10 < 8 THEN now() END FROM series""",
    f"""INSERT INTO webhook_deliveries (id, webhook_id, site_id, event_id, event_type, event_version, occurred_at,
                                        payload, is_test, state, attempts, step, job_id, created_at)
        SELECT {_id("d")}, '{{webhook}}', '{{site}}', {_id("e")}, 'content.published', 1, now(), '{{{{}}}}', false,
               CASE WHEN n % 10 < 5 THEN 'delivered' WHEN n % 10 < 8 THEN 'failed' ELSE 'pending' END, 1, 0, {_id("j")},
               now() FROM series""",
    f"""INSERT INTO events (id, site_id, type, version, aggregate_id, payload, actor_kind, actor_id, occurred_at,
                            position, hash)
        SELECT {_id("e")}, '{{site}}', CASE n % 1000 WHEN 0 THEN 'site.updated' ELSE 'content.updated' END, 1,
               '{{item}}', '{{{{}}}}', 'user', '{{admin}}', now() - ({MANY} - n) * interval '1 second',
               10000000 + n, '\\x00' FROM series""",
    f"""INSERT INTO asset_files (id, site_id, digest, size, content_type, status, attempts, exif, variants, created_at)
        SELECT {_id("f")}, '{{site}}', 'digest-' || n, n % 977, 'image/png', 'ready', 1, '{{{{}}}}', '[]', now()
        FROM series""",
    f"""INSERT INTO assets (id, site_id, file_id, filename, titles, alts, folder, tags, version, created_at, updated_at)
        SELECT {_id("s")}, '{{site}}', {_id("f")}, 'file-' || n % 7919 || '.png', '{{{{}}}}', '{{{{}}}}', 'f' || n % 9,
               ARRAY['t' || n % 3], 1, now(), now() FROM series""",
)
_FEWER = (
    f"""INSERT INTO items (id, site_id, type_id, slug, created_at, deleted_at)
        SELECT {_id("t")}, '{{site}}', '{{type}}', 'gone-' || n, now(), now() - n * interval '1 second' FROM series""",
    f"""INSERT INTO content_releases (id, site_id, name, version, state, problems, created_at, updated_at, actor_kind)
        SELECT {_id("l")}, '{{site}}', 'Release ' || n, 1, 'open', '[]', now(), now(), 'user' FROM series""",
    f"""INSERT INTO content_release_items (release_id, place, item_id, action)
        SELECT {_id("l")}, 0, '{{item}}', 'publish' FROM series""",
    f"""INSERT INTO content_schedule (id, site_id, item_id, action, due_at, state, job_id, created_at, actor_kind)
        SELECT {_id("c")}, '{{site}}', CASE WHEN n % 2 = 0 THEN '{{item}}'::uuid ELSE i.id END, 'publish',
               now() + n * interval '1 minute', CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'pending' END, {_id("j")},
               now(), 'user'
        FROM series JOIN (SELECT id, row_number() OVER () AS place FROM items WHERE deleted_at IS NULL) i
             ON place = n""",
    """INSERT INTO revisions (site_id, type_id, item_id, locale, number, data, slug, terms, created_at, kind)
       SELECT '{site}', '{type}', '{item}', 'en', n + 100, '{{}}', 'x', '{{}}', now(), 'saved' FROM series""",
    f"""INSERT INTO groups (id, key, name, description, created_at, updated_at)
        SELECT {_id("g")}, 'group-' || n, 'Group ' || n, '', now(), now() FROM series""",
    f"""INSERT INTO roles (id, key, name, description, built_in, created_at, updated_at)
        SELECT {_id("o")}, 'role-' || n, 'Role ' || n, '', false, now(), now() FROM series""",
    f"""INSERT INTO sites (id, key, name, default_locale, locales, settings, created_at, updated_at)
        SELECT {_id("w")}, 'site-' || n, 'Site ' || n, 'en', '[]', '{{{{}}}}', now(), now() FROM series""",
    f"""INSERT INTO api_keys (id, name, prefix, digest, owner_id, permissions, created_at, updated_at)
        SELECT {_id("k")}, 'Key ' || n, 'p', 'digest-' || n, '{{admin}}', '[]', now(), now() FROM series""",
    f"""INSERT INTO taxonomies (id, site_id, key, name, description, hierarchical, localized, created_at, updated_at)
        SELECT {_id("x")}, '{{site}}', 'tax' || n, 'Taxonomy', '', false, false, now(), now() FROM series""",
)
TABLES = (
    "users", "group_members", "role_assignments", "jobs", "webhook_deliveries", "events", "asset_files", "assets",
    "items", "content_releases", "content_release_items", "content_schedule", "revisions", "groups", "roles", "sites",
    "api_keys", "taxonomies",
)  # fmt: skip


async def grow(owners: Owners, dsn: str) -> None:
    """Write the rows."""
    about = {name: str(value) for name, value in asdict(owners).items()}
    connection = await asyncpg.connect(**parse_dsn(dsn))  # the pool's statements have a timeout
    try:
        for number, statements in ((MANY, _MANY), (FEWER, _FEWER)):
            async with connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = 'replica'")
                await connection.execute(
                    f"CREATE TEMPORARY TABLE series ON COMMIT DROP AS SELECT generate_series(1, {number}) AS n"
                )
                await connection.execute("ANALYZE series")
                for sql in statements:
                    await connection.execute(sql.format(**about))
        for table in TABLES:
            await connection.execute(f"VACUUM (ANALYZE) {table}")
    finally:
        await connection.close()
