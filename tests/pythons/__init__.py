"""The most important tests on every other Python of this machine: `make test-pythons`.

`make test` runs on one Python, the one of the machine. Bugs of an interpreter show only on that
interpreter, and users have all of them.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PARTNER = "SPILLWAY_TEST_PARTNER"
"""The variable that names the Python of `make test`, for tests with one site on each."""

SCENARIO, KUBERNETES = "tests/scenario", "tests/kubernetes"
CHOSEN = (
    # What another Python can break everywhere: values, patterns, sockets, timers, JSON, YAML.
    "tests/unit",
    "tests/property",
    "tests/pythons",
    # One scenario of each kind. Each file starts its own sites, which takes most of its time.
    f"{SCENARIO}/test_tcp_over_a_link.py::test_200_mb_each_way_at_once_arrive_whole",
    f"{SCENARIO}/test_tcp_over_a_link.py::test_a_reset_of_the_client_reaches_the_target_as_a_reset",
    f"{SCENARIO}/test_http_over_a_link.py",
    f"{SCENARIO}/test_http_corpus.py",
    f"{SCENARIO}/test_grpc.py::test_metadata_and_trailers_pass_and_te_reaches_the_target",
    f"{SCENARIO}/test_grpc.py::test_both_directions_flow_while_neither_has_ended",
    f"{SCENARIO}/test_tls.py::test_a_request_by_tls_is_served_and_its_target_knows_how_it_came",
    f"{SCENARIO}/test_links.py::test_a_link_shows_both_ends_its_cost_and_its_age",
    f"{SCENARIO}/test_renewal.py::test_a_certificate_is_renewed_over_its_link_which_stays_up",
    f"{SCENARIO}/test_workers.py::test_sites_elsewhere_see_one_site_with_all_slots",
    f"{SCENARIO}/test_console.py::test_beyond_loopback_it_shows_a_certificate_of_the_sites_own_ca",
    f"{SCENARIO}/test_restarts.py::test_a_crashed_site_comes_back_and_fails_no_idempotent_request_elsewhere",
    f"{SCENARIO}/test_published_coffee_shop.py",
    f"{KUBERNETES}/test_services.py::test_kubectl_apply_of_the_same_file_is_mended_and_settles",
    f"{KUBERNETES}/test_migration.py",
)
"""What pytest runs there. `make test` runs everything, so a test that no Python changes stays out
of this list: CI repeats it for each Python."""
