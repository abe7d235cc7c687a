"""Verbs take a service by the routing key that it carries."""

from tests.unit.sitectl.conftest import CommandLine

KEY = "Shop.DB_primary"
LISTENER = f"""apiVersion: skupper.io/v2alpha1
kind: Listener
metadata:
  name: front
spec:
  routingKey: {KEY}
  host: 127.0.0.1
  port: 5432
"""
TARGET = ("host", "127.0.0.1")


def test_a_target_is_exposed_by_a_routing_key_and_taken_away_by_it(here: CommandLine) -> None:
    here.ok("apply", "-f", "-", stdin=LISTENER)
    before = here.config()
    here.ok("expose", *TARGET, "--address", KEY, "--target-port", "9001")
    made = set(here.config()) - set(before)
    assert len(made) == 1 and made.pop().startswith("connector-")
    assert here.config().keys() > before.keys(), "and no second service is declared"
    here.ok("unexpose", *TARGET, "--address", KEY)
    assert not [name for name in here.config() if name.startswith("connector-")]


def test_a_key_that_no_service_carries_is_no_name_of_a_new_one(here: CommandLine) -> None:
    refused = here.ended(2, "expose", *TARGET, "--address", KEY, "--port", "5432")
    assert f"'{KEY}' is not a service name" in refused.output
