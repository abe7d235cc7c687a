"""`site drain` and `service drain`: their output matches the requests that the site takes."""

from tests.unit.sitectl.conftest import CommandLine


def test_a_share_is_said_as_it_was_set(here: CommandLine) -> None:
    done = here.ok("service", "drain", "shop", "--to", "50%").stdout
    assert done == "this site takes 50% of its capacity of service shop\n"
    done = here.ok("service", "drain", "shop", "--to", "50%").stdout
    assert done == "this site takes 50% of its capacity of service shop already\n"
    done = here.ok("service", "drain", "shop").stdout
    assert done == "this site takes nothing new of service shop\n"


def test_a_service_takes_no_more_than_the_whole_site_and_the_command_says_so(
    here: CommandLine,
) -> None:
    here.ok("site", "drain", "--to", "10%")
    held = (
        "this site takes 10% of its capacity of service shop while the whole site is drained: "
        "sitectl site drain --to 100%\n"
    )
    assert here.ok("service", "drain", "shop", "--to", "50%").stdout == f"set to 50%; {held}"
    again = here.ok("service", "drain", "shop", "--to", "50%").stdout
    assert again == f"set to 50% already; {held}"
    assert here.ok("service", "drain", "shop", "--to", "100%").stdout == f"set to 100%; {held}"
    done = here.ok("service", "drain", "shop", "--to", "5%").stdout
    assert done == "this site takes 5% of its capacity of service shop\n"
    here.ok("site", "drain")
    done = here.ok("service", "drain", "shop", "--to", "50%").stdout
    assert done.startswith("set to 50%; this site takes nothing new of service shop while ")


def test_services_that_stay_drained_by_themselves_are_named(here: CommandLine) -> None:
    here.ok("service", "drain", "shop", "--to", "50%")
    here.ok("service", "drain", "db")
    assert here.ok("site", "drain").stdout == "this site takes nothing new of any service\n"
    assert here.ok("site", "drain", "--to", "100%").stdout == (
        "this site takes 100% of its capacity of every service but db (nothing new), "
        "shop (50% of its capacity): sitectl service drain db --to 100%; "
        "sitectl service drain shop --to 100%\n"
    )
    here.ok("service", "drain", "db", "--to", "100%")
    assert here.ok("site", "drain", "--to", "100%").stdout == (
        "this site takes 100% of its capacity of every service already "
        "but shop (50% of its capacity): sitectl service drain shop --to 100%\n"
    )


def test_a_router_with_peers_is_drained_alone_and_the_command_names_the_others(
    here: CommandLine,
) -> None:
    here.ok("service", "create", "shop", "8080")
    here.ok("service", "bind", "shop", "host", "127.0.0.1", "--target-port", "9001")
    here.ok("update", "--peer", "10.0.0.9:55671")
    done = here.ok("site", "drain")
    assert done.stdout == "this router takes nothing new of any service\n"
    assert done.stderr == (
        "each router of this site has documents and secrets of its own: "
        "change them at 10.0.0.9:55671, too\n"
    )
    assert here.ok("site", "drain").stderr == ""  # Nothing changed.


def test_a_name_that_nobody_declares_is_said_to_be_none(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    here.ok("service", "bind", "shop", "host", "127.0.0.1", "--target-port", "9001")
    known, unknown = here.ok("service", "drain", "shop"), here.ok("service", "drain", "shp")
    assert known.stderr == ""
    assert unknown.stdout == "this site takes nothing new of service shp\n"
    assert "no site that is known here declares shp: it counts once one does" in unknown.stderr
    assert "Did you mean shop? Then: sitectl service drain shp --to 100%" in unknown.stderr
    assert here.ok("service", "drain", "shp", "--to", "100%").stderr == ""


def test_a_drain_of_what_has_no_target_here_says_that_there_is_nothing_to_drain(
    here: CommandLine,
) -> None:
    here.ok("service", "create", "shop", "8080")
    nothing = "this site has no target of {}: there is nothing to drain until it has\n"
    assert here.ok("service", "drain", "shop").stderr == nothing.format("shop")
    assert here.ok("site", "drain").stderr == nothing.format("any service")
    assert here.ok("site", "drain", "--to", "100%").stderr == ""
    here.ok("service", "bind", "shop", "host", "127.0.0.1", "--target-port", "9001")
    assert here.ok("service", "drain", "shop", "--to", "50%").stderr == ""
    assert here.ok("site", "drain").stderr == ""


def test_a_name_is_told_how_it_begins_and_ends(here: CommandLine) -> None:
    refused = here("service", "drain", "x-")
    assert refused.exit_code == 2 and "a letter or digit first and last" in refused.stderr
