"""The processes that check passwords for this one."""

import psutil

from scaicms.kit import password_process


def checkers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if password_process.__file__ in child.cmdline()]
