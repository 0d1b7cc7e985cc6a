"""Manifest."""

from datetime import timedelta

from scaicms.features.assets import events, permissions
from scaicms.features.assets.jobs import SWEEP_STORAGE, SweepPayload
from scaicms.features.assets.retention import RETENTION
from scaicms.infra.db.locale_rows import LocaleRows
from scaicms.infra.jobs import Periodic
from scaicms.infra.storage.sweep import StoredFiles
from scaicms.web.feature import Feature

TEXTS = LocaleRows(
    # A text that is written at this very moment stays in a locale that nobody asks for, which harms nobody.
    hold="SELECT $1::uuid",
    used="""SELECT l.locale, 'assets' AS what, count(*) AS number
            FROM assets a JOIN unnest($2::text[]) l(locale) ON a.titles ? l.locale OR a.alts ? l.locale
            WHERE a.site_id = $1 GROUP BY l.locale""",
    advice={
        "assets": "{number} assets have a title or an alternative text in {locale}: take it away, PATCH /assets/{{id}}"
        ' {{"title": {{"{locale}": null}}, "alt": {{"{locale}": null}}}}.'
    },
)

FEATURE = Feature(
    name="assets",
    models="scaicms.features.assets.models",
    routes=("scaicms.features.assets.routes:routes", "scaicms.features.assets.file_routes:routes"),
    events=events.ALL,
    tasks="scaicms.features.assets.tasks:TASKS",
    permissions=permissions.ALL,
    periodic=(Periodic(SWEEP_STORAGE, SweepPayload(), timedelta(hours=6)),),
    stored_files=(StoredFiles("assets", "assets/", "scaicms.features.assets.file_repository:keys_in_use"),),
    locale_rows=(TEXTS,),
    retention=RETENTION,
)
