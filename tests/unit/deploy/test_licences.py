"""What we ship of others: all of it is named, under licenses that let us."""

import importlib.metadata
import json
import re

import pytest

from deploy import licences, lock

LIST = licences.LIST.read_text("utf-8")
LOCKED = lock.names("requirements.txt")
_SPELLINGS = {"Apache 2.0": "Apache-2.0", "MIT License": "MIT OR Apache-2.0"}


def test_the_page_is_as_the_lock_and_the_vendor_list_make_it() -> None:
    assert licences.PAGE.read_text("utf-8") == licences.page(), "python -m deploy.licences"


def test_every_package_that_runs_has_a_licence_that_we_know() -> None:
    assert sorted(licences.OF_PACKAGES) == LOCKED
    for name, expression in licences.OF_PACKAGES.items():
        assert licences.words(expression) <= licences.ALLOWED, name


@pytest.mark.parametrize("name", LOCKED)
def test_a_package_says_of_itself_what_we_say(name: str) -> None:
    told = importlib.metadata.metadata(name)
    if f"{name}=={told['Version']} " not in LIST:
        return  # A newer one is installed than the one that we read and ship.
    said = told.get_all("License-Expression") or told.get_all("License") or [""]
    expression = str(said[0]).split("\n")[0]
    if re.fullmatch(r"[A-Za-z0-9. ()-]{2,40}", expression) and "The MIT" not in expression:
        assert _SPELLINGS.get(expression, expression) == licences.OF_PACKAGES[name]
    else:  # A text, or nothing: by its classifier.
        kinds = " ".join(told.get_all("Classifier") or ())
        assert f":: {licences.OF_PACKAGES[name]} License" in kinds


def test_the_bill_of_materials_names_the_licences() -> None:
    bill = json.loads((lock.IMAGE / "sbom.cdx.json").read_text())
    told = {one["name"]: one["licenses"][0]["expression"] for one in bill["components"]}
    assert told == licences.OF_PACKAGES
