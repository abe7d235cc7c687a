"""`backup` and `restore` on site directories."""

import json
import os
import time
from pathlib import Path

import pytest

from certs.claims import GrantStore
from certs.identity import SiteIdentity
from certs.revocation import Revocations
from router.main.state import FileKeeper
from sitectl.backup import content as contents
from sitectl.backup import seal
from sitectl.backup.folder import read_folder
from sitectl.directory import DirectorySite
from tests.unit.sitectl.conftest import CommandLine

PASSPHRASE = "correct horse battery\n"
QUICK = seal.Cost("scrypt", seal.SCRYPT_WORK_MIN)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guessing need not be dear in tests."""
    monkeypatch.setattr(seal, "SCRYPT_WORK", seal.SCRYPT_WORK_MIN)
    monkeypatch.setattr(seal.Cost, "__new__", _quick_cost)


def _quick_cost(kind: type[seal.Cost], *values: object) -> seal.Cost:
    return QUICK


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file of a site that is not about one run of its router."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
