"""Every query on files alone: bytes that are stored, and what they were found to be."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from scaicms.infra import db
from scaicms.infra.media import Facts
from scaicms.kit import json
from scaicms.kit.ids import parse_id


class Claimed(NamedTuple):
    """The file with some bytes. `is_new`: nobody had them; `given_up`: reading them failed, or nobody does it."""

    id: UUID
    is_new: bool
    given_up: bool


class Unread(NamedTuple):
    """A file to be read, and how its first asset is called."""

    size: int
    raster_type: str | None
    filename: str
    attempts: int


async def claim(
    site_id: UUID, file_id: UUID, *, digest: str, size: int, raster_type: str | None, now: datetime
) -> Claimed:
    """The site's file with these bytes, which stays until the transaction ends; made with this id if there is none."""
    row = await db.fetchrow(
        """INSERT INTO asset_files (id, site_id, digest, size, raster_type, status, attempts, exif, variants,
                                    created_at)
           VALUES ($1, $2, $3, $4, $5, 'processing', 0, '{}', '[]', $6)
           ON CONFLICT (site_id, digest) DO UPDATE SET digest = excluded.digest
           RETURNING id, status = 'failed' OR (status = 'processing' AND NOT EXISTS (
             SELECT 1 FROM jobs j WHERE j.id = asset_files.job_id AND j.state = 'pending')) AS given_up""",
        file_id,
        site_id,
        digest,
        size,
        raster_type,
        now,
    )
    found, given_up = (row["id"], row["given_up"]) if row is not None else (file_id, False)
    return Claimed(found, found == file_id, given_up)


async def put_job(file_id: UUID, job_id: UUID) -> None:
    """The file is to be read by this job, whatever became of that before."""
    await db.execute(
        """UPDATE asset_files SET job_id = $2, status = 'processing', problem = NULL, content_type = NULL, attempts = 0
           WHERE id = $1""",
        file_id,
        job_id,
    )


async def begin(site_id: UUID, file_id: UUID, job_id: UUID) -> Unread | None:
    """A file that is to be read, and that another try has begun; None where there is none any more, or it was read.

    One that failed when its job was given up is read after all when an operator retries the job.
    """
    row = await db.fetchrow(
        """UPDATE asset_files f SET attempts = CASE WHEN status = 'failed' THEN 1 ELSE attempts + 1 END,
                  status = 'processing', problem = NULL, content_type = NULL
           WHERE id = $2 AND site_id = $1 AND (status = 'processing' OR status = 'failed' AND job_id = $3)
           RETURNING f.size, f.raster_type, f.attempts, coalesce(
             (SELECT a.filename FROM assets a WHERE a.file_id = f.id ORDER BY a.id LIMIT 1), '') AS filename""",
        site_id,
        file_id,
        job_id,
    )
    return Unread(row["size"], row["raster_type"], row["filename"], row["attempts"]) if row is not None else None


async def give_back(site_id: UUID, file_id: UUID) -> None:
    """The last attempt at reading a file was none."""
    await db.execute(
        """UPDATE asset_files SET attempts = attempts - 1
           WHERE id = $2 AND site_id = $1 AND status = 'processing' AND attempts > 0""",
        site_id,
        file_id,
    )


async def finish(site_id: UUID, file_id: UUID, facts: Facts) -> bool:
    """Say what a file is; whether it is still there."""
    return bool(
        await db.execute(
            """UPDATE asset_files SET status = 'ready', content_type = $3, width = $4, height = $5, blurhash = $6,
                      color = $7, exif = $8::jsonb, variants = $9::jsonb WHERE id = $2 AND site_id = $1""",
            site_id,
            file_id,
            facts.content_type,
            facts.width,
            facts.height,
            facts.blurhash,
            facts.color,
            json.dumps_text(facts.exif),
            json.dumps_text([variant.model_dump() for variant in facts.variants]),
        )
    )


async def fail(site_id: UUID, file_id: UUID, problem: str, content_type: str) -> bool:
    """Say that nobody knows what a file is; False when it has been read, or has gone."""
    return bool(
        await db.execute(
            """UPDATE asset_files SET status = 'failed', problem = $3, content_type = $4
               WHERE id = $2 AND site_id = $1 AND status = 'processing'""",
            site_id,
            file_id,
            problem,
            content_type,
        )
    )


async def keys_in_use(keys: Sequence[str]) -> set[str]:
    """Of these keys of stored files those whose file is known, and those that are not keys of files."""
    ids = {key: parse_id(key.split("/")[1]) if key.count("/") == 2 else None for key in keys}
    rows = await db.fetch("SELECT id FROM asset_files WHERE id = ANY($1)", [one for one in ids.values() if one])
    known = {row["id"] for row in rows}
    return {key for key, file_id in ids.items() if file_id is None or file_id in known}


async def assets_of(file_id: UUID) -> Sequence[tuple[UUID, str]]:
    """Ids and names of the assets that have the file."""
    rows = await db.fetch("SELECT id, filename FROM assets WHERE file_id = $1 ORDER BY id", file_id)
    return [(row["id"], row["filename"]) for row in rows]


async def remove_unused(file_id: UUID) -> bool:
    """Away with a file that no asset has; whether it went."""
    # In a statement of its own: who has claimed it meanwhile has committed by the time we hold it.
    await db.execute("SELECT 1 FROM asset_files WHERE id = $1 FOR UPDATE", file_id)
    sql = "DELETE FROM asset_files f WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.file_id = f.id)"
    return bool(await db.execute(sql, file_id))
