"""Links on terms: from the certificate to the neighbor, and the questions to the owner."""

from router.model.rights.sharing import FREE, Terms
from tests.unit.link.routers import Router
from tests.unit.link.wire import World

SHOP = Terms(import_=("shop",))
BANK = Terms(import_=("bank",))


def let_in(world: World, terms: Terms) -> tuple[Router, Router]:
    """Kiosk, which east lets in on ``terms``."""
    east, kiosk = Router(world, "east"), Router(world, "kiosk")
    east.owner.terms[kiosk.tls.certificate] = terms
    kiosk.link("east")
    world.settle()
    return east, kiosk


def test_the_terms_of_its_certificate_are_those_of_the_neighbour_and_its_link() -> None:
    world = World()
    east, kiosk = let_in(world, SHOP)
    assert [line.terms for line in east.links.status()] == [SHOP]
    assert [line.terms for line in kiosk.links.status()] == [FREE]


def test_the_owner_is_asked_of_each_stream_over_a_link_on_terms_and_of_no_other() -> None:
    world = World()
    east, kiosk = let_in(world, SHOP)
    west = Router(world, "west")
    west.link("east")
    world.settle()
    west.open(east)
    world.settle()
    assert east.owner.named("may pass") == []
    kiosk.open(east)
    west.open(east, kiosk)
    world.settle()
    assert east.owner.named("may pass") == [
        ("may pass", "kiosk", None, "web"),
        ("may pass", "west", "kiosk", "web"),
    ]
    assert len(kiosk.owner.offered) == 1


def test_what_ends_here_and_comes_freely_may_be_remembered_until_it_is_stale() -> None:
    world = World()
    east, kiosk = let_in(world, SHOP)
    west = Router(world, "west")
    west.link("east")
    world.settle()
    for opener, path in ((west, (east,)), (west, (east, kiosk)), (kiosk, (east,))):
        for _ in range(3):
            opener.open(*path)
            world.settle()
    [known] = east.owner.known.values()
    assert known.taken == 2
    assert len(east.owner.offered) == 6 and len(kiosk.owner.offered) == 3
    assert east.owner.named("may pass").count(("may pass", "kiosk", None, "web")) == 3
    known.is_stale = True
    west.open(east)
    world.settle()
    assert len(east.owner.offered) == 7
    assert [one.taken for one in east.owner.known.values()] == [0], "it was judged, and kept"


def test_what_the_owner_does_not_let_pass_is_refused_untouched() -> None:
    world = World()
    east, kiosk = let_in(world, SHOP)
    east.owner.lets_pass = False
    handler = kiosk.open(east)
    world.settle()
    assert handler.calls[0] == ("refused", "not-allowed", -1)
    assert east.owner.offered == []


def test_two_links_allow_what_either_does_and_the_owner_hears_when_that_changes() -> None:
    world = World()
    east, kiosk = let_in(world, SHOP)
    kiosk.tls = type(kiosk.tls)(None, b"another leaf of kiosk", kiosk.tls.alpn)
    east.owner.terms[kiosk.tls.certificate] = BANK
    kiosk.link("east", name="second")
    world.settle()
    both = Terms(None, None, ("bank", "shop"))
    assert east.owner.named("terms") == [("terms", kiosk.id, both)]
    del kiosk.specs["to-east"]
    kiosk.links.set_links(kiosk.specs)
    world.settle()
    assert east.owner.named("terms")[-1] == ("terms", kiosk.id, BANK)


def test_a_link_without_terms_frees_the_neighbour() -> None:
    world = World()
    east, kiosk = let_in(world, SHOP)
    kiosk.tls = type(kiosk.tls)(None, b"another leaf of kiosk", kiosk.tls.alpn)
    kiosk.link("east", name="second")
    world.settle()
    assert east.owner.named("terms") == [("terms", kiosk.id, FREE)]
