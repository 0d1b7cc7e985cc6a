"""Who may call an operation: at the door of each request, and again while a long response is being sent."""

from aiohttp import web

from scaicms.kit.errors import AppError, BadRequestError, UnauthorizedError
from scaicms.kit.principal import ANONYMOUS, Principal
from scaicms.kit.sites import Site
from scaicms.web.call import Call
from scaicms.web.operation import Operation
from scaicms.web.ports import ADDRESS, AUTHENTICATOR, PREVIEW_PREFIX, SITES


class SiteRequiredError(BadRequestError):
    code, message = "site_required", "Name the site in the X-Site-ID header, by its id or key."


class SiteForbiddenError(AppError):
    status, code = 403, "site_forbidden"
    message = "There is no such site, or you have no rights there."


class RightsChangedError(UnauthorizedError):
    def __init__(self) -> None:
        super().__init__("Your rights changed while this response was sent. Send the request again.")


async def find_site(request: web.Request) -> Site:
    header = request.headers.get("X-Site-ID")
    if not header:
        raise SiteRequiredError
    site = await request.app[SITES].find(header)
    if site is None:
        raise SiteForbiddenError
    return site


def admit(operation: Operation, principal: Principal, site: Site | None) -> None:
    """The coarse check at the door; services check again, with the data in hand."""
    if operation.public is not None:
        return
    if operation.authenticated is not None:
        if principal.is_anonymous:
            raise UnauthorizedError
        return
    if site is not None and not principal.is_anonymous and not principal.may_enter(site.id):
        raise SiteForbiddenError
    if operation.permission is not None:
        principal.require(operation.permission.code, site.id if site is not None else None)


def has_preview_token(request: web.Request) -> bool:
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    return credential.startswith(PREVIEW_PREFIX) and scheme.lower() == "bearer"


async def admit_again(call: Call) -> Principal:
    """The caller of a running request, with their rights of this moment. Without a change it takes no query.

    Raises:
        AppError: the session, account, key, permission or site is gone.
    """
    request, operation = call.request, call.operation
    if has_preview_token(request) or (operation.public is not None and not operation.site):
        return ANONYMOUS
    site = await find_site(request) if operation.site else None
    if site is not None and site.id != call.site.id:
        raise SiteForbiddenError
    authorization = request.headers.get("Authorization")
    principal = await request.app[AUTHENTICATOR].authenticate_again(authorization, site, request[ADDRESS])
    admit(operation, principal, site)
    return principal


async def require_same_rights(call: Call) -> None:
    """For a response that was decided at its begin: end it when the caller's rights are other ones now.

    Raises:
        AppError: as `admit_again`.
        RightsChangedError: some right came or went.
    """
    principal = await admit_again(call)
    if principal is not call.principal and (
        principal.id != call.principal.id or set(principal.grants.rules()) != set(call.principal.grants.rules())
    ):
        raise RightsChangedError
