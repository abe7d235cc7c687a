"""Reads the surfaces of one site and holds them against the table of faults."""

from collections.abc import Collection

from tests.scenario.harness import Site
from tests.scenario.waiting import until
from tests.truth.table import METRICS, Fault


def shows(site: Site, fault: Fault, *, without: Collection[str] = ()) -> None:
    """Every surface of ``site`` says what the table has for ``fault``, ``without`` some."""
    for surface in fault.shown.keys() - set(without):
        text = ""

        def says(surface: str = surface) -> bool:
            nonlocal text
            text = read(site, fault, surface)
            return fault.fits(surface, text)

        try:
            until(says, f"{surface} says: {fault.shown[surface]}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{text}") from None


def read(site: Site, fault: Fault, surface: str) -> str:
    """What ``surface`` shows now; AssertionError if it ends in another way than the table says."""
    if surface == METRICS:
        return site.metrics()
    return site.ctl(*surface.split(), code=fault.codes.get(surface, 0)).out
