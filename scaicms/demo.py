"""The demo site of `scaicms dev`: key `demo`, type `post`, a little content. Made once, never changed again."""

from scaicms.features.content.schemas import CreateItem
from scaicms.features.content.service import ContentService
from scaicms.features.content_types.schemas import CreateContentType
from scaicms.features.content_types.service import ContentTypeService
from scaicms.features.roles.errors import RoleExistsError
from scaicms.features.roles.schemas import CreateRole, Grant
from scaicms.features.roles.service import RoleService
from scaicms.features.sites.schemas import CreateDomain, CreateSite
from scaicms.features.sites.service import SiteService
from scaicms.infra import db
from scaicms.infra.services import Services
from scaicms.kit.principal import SYSTEM

KEY = "demo"
READER = "demo-reader"
"""What anonymous callers may do on the demo site; other sites stay closed."""

_PUBLISHED_ON = {"from": "path", "pattern": r"(\d{4})/(\d{2})/(\d{2})/", "replace": r"\1-\2-\3"}
POST = {
    "key": "post",
    "name": "Post",
    "description": "A blog post",
    "url_pattern": "/posts/{slug}",
    "fields": [
        {"key": "title", "type": "string", "label": "Title", "required": True},
        {"key": "description", "type": "text", "label": "Description"},
        {"key": "body", "type": "markdown", "label": "Text"},
        {"key": "authors", "type": "multiselect", "label": "Authors"},
        {"key": "published_on", "type": "date", "label": "Published on", "indexed": True},
        {"key": "team", "type": "string", "label": "Team"},
        {"key": "team_url", "type": "url", "label": "Team's address"},
        {"key": "release", "type": "boolean", "label": "Announces a release"},
        {"key": "path", "type": "string", "label": "Address on the old site", "searchable": False},
        {"key": "aliases", "type": "multiselect", "label": "Earlier addresses", "searchable": False},
        {"key": "extra", "type": "json", "label": "More front matter"},
    ],
    "settings": {
        "import": {
            "mapping": {
                "published_on": _PUBLISHED_ON,
                "team": "extra.team",
                "team_url": "extra.team_url",
                "release": "extra.release",
            }
        }
    },
}
WELCOME = """scaiCMS keeps content in **drafts**, renders it when you **publish**, and hands slow work to *workers*.

- Read it: `GET /api/v1/content?type=post` with `X-Site-ID: demo`
- Find it: `GET /api/v1/search?q=welcome`
- Watch the queues: `GET /api/v1/search/queues`
- Import a folder of Markdown: `scaicms import PATH --type post --site demo`

The interactive documentation of the API is at [/docs](/docs).
"""
POSTS = (
    {
        "title": "Welcome to scaiCMS",
        "description": "What this is and what to try first.",
        "body": WELCOME,
        "authors": ["scaiCMS"],
        "published_on": "2026-11-24",
    },
    {
        "title": "Nothing is lost, nothing is done twice",
        "description": "How a change and the work it causes become one transaction.",
        "body": "A change and the jobs that follow from it commit **together**. Redis only rings the doorbell.",
        "authors": ["scaiCMS"],
        "published_on": "2026-11-23",
    },
)


async def ensure_demo(services: Services) -> bool:
    """Make the demo site unless there is one; whether it was made."""
    if await services.get(SiteService).find(KEY) is not None:
        return False
    async with db.transaction():
        await _make_role(services)
        sites = services.get(SiteService)
        settings = {"public_role": READER, "title": "scaiCMS demo", "description": "Published by workers."}
        new = CreateSite.model_validate({"key": KEY, "name": "Demo", "settings": settings})
        row = await sites.create(SYSTEM, new)
        await sites.add_domain(SYSTEM, KEY, CreateDomain(host="localhost", is_primary=True))
        site = await sites.by_id(row.id)
        await services.get(ContentTypeService).create(SYSTEM, site, CreateContentType.model_validate(POST))
        for post in POSTS:
            await services.get(ContentService).create(SYSTEM, site, CreateItem(type="post", data=post, publish=True))
    return True


async def _make_role(services: Services) -> None:
    roles = services.get(RoleService)
    try:
        await roles.create(SYSTEM, CreateRole(key=READER, name="Readers of the demo site"))
    except RoleExistsError:
        return
    await roles.set_grants(
        SYSTEM, READER, [Grant(permission="content:read"), Grant(permission="taxonomies:read")], add=False
    )
