"""Permissions out."""

from typing import Literal

from pydantic import BaseModel


class PermissionOut(BaseModel):
    code: str
    resource: str
    action: str
    description: str
    scope: Literal["global", "site"]


class PermissionList(BaseModel):
    items: list[PermissionOut]
    total: int
