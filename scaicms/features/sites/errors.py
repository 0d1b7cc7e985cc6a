"""What can be wrong with a site."""

from scaicms.kit.errors import ConflictError, NotFoundError


class SiteNotFoundError(NotFoundError):
    code, message = "site_not_found", "There is no site with this id or key."


class SiteExistsError(ConflictError):
    code, message = "site_exists", "There is a site with this key already."


class SiteInUseError(ConflictError):
    code, message = "site_in_use", "The site still has content types, taxonomies or assets; delete them first."


class LocaleInUseError(ConflictError):
    code, message = "locale_in_use", "There is content in a locale that would be gone; `errors` say what to do first."


class DefaultLocaleLackingError(ConflictError):
    code = "default_locale_lacking"
    message = "Items would be missing where nobody names a locale."


class DomainTakenError(ConflictError):
    code, message = "domain_taken", "A site answers on this host already."


class DomainNotFoundError(NotFoundError):
    code, message = "domain_not_found", "The site has no domain with this id."
