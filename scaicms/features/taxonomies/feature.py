"""Manifest."""

from scaicms.features.taxonomies import events, permissions
from scaicms.features.taxonomies.retention import RETENTION
from scaicms.infra.db.locale_rows import LocaleRows
from scaicms.web.feature import Feature

TERM_NAMES = LocaleRows(
    # Who writes names of terms holds their taxonomy.
    hold="SELECT 1 FROM taxonomies WHERE site_id = $1 ORDER BY id FOR UPDATE",
    used="""SELECT l.locale, 'terms' AS what, count(*) AS number
            FROM taxonomies x JOIN terms t ON t.taxonomy_id = x.id
            JOIN unnest($2::text[]) l(locale) ON t.names ? l.locale
            WHERE x.site_id = $1 AND x.localized GROUP BY l.locale""",
    advice={
        "terms": "{number} terms have a name in {locale}: take it away, PATCH /taxonomies/{{key}}/terms/{{id}}"
        ' {{"name": {{"{locale}": null}}}}.'
    },
)

FEATURE = Feature(
    name="taxonomies",
    models="scaicms.features.taxonomies.models",
    routes=("scaicms.features.taxonomies.routes:routes", "scaicms.features.taxonomies.term_routes:routes"),
    events=events.ALL,
    permissions=permissions.ALL,
    locale_rows=(TERM_NAMES,),
    bundle={"taxonomies": "scaicms.features.taxonomies.bundle:PART"},
    retention=RETENTION,
)
