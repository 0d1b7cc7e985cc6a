"""What can be wrong with taxonomies and terms."""

from scaicms.kit.errors import ConflictError, NotFoundError


class TaxonomyNotFoundError(NotFoundError):
    code, message = "taxonomy_not_found", "This site has no taxonomy with this key."


class TaxonomyExistsError(ConflictError):
    code, message = "taxonomy_exists", "This site has a taxonomy with this key already."


class TaxonomyInUseError(ConflictError):
    """`lost` in the answer counts what would go with it."""

    code, message = "taxonomy_in_use", "The taxonomy has terms, which would be lost with it."


class TaxonomyShapeError(ConflictError):
    code, message = "taxonomy_shape", "The terms that are there do not fit this change."


class TermNotFoundError(NotFoundError):
    code, message = "term_not_found", "This taxonomy has no term with this id."


class TermInUseError(ConflictError):
    """`lost` in the answer counts what would go with it."""

    code, message = "term_in_use", "The term is in use, or has terms below it."


class TermSlugTakenError(ConflictError):
    code, message = "slug_taken", "Another term of this taxonomy has this slug."


class TermCycleError(ConflictError):
    code, message = "term_cycle", "A term cannot stand below itself."


class TermDepthError(ConflictError):
    code, message = "term_too_deep", "Terms would stand too many levels deep."
