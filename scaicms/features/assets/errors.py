"""What can be wrong with assets."""

from scaicms.kit.errors import ConflictError, NotFoundError


class AssetNotFoundError(NotFoundError):
    code, message = "asset_not_found", "This site has no asset with this id."


class VariantNotFoundError(NotFoundError):
    code, message = "variant_not_found", "The asset has no such variant, or no such version."


class AssetInUseError(ConflictError):
    """`usage` in the answer counts what would miss it."""

    code, message = "asset_in_use", "The asset is in use."


class AssetHeldError(ConflictError):
    code, message = "on_hold", "Items on legal hold show or have shown the asset; it stays until they are released."
