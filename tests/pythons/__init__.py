"""The most important tests on every other Python of this machine: `make test-pythons`.

`make test` runs on one Python, the one of the machine. Bugs of an interpreter show only on that
interpreter, and users have all of them.
"""

from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PARTNER = "SPILLWAY_TEST_PARTNER"
"""The variable that names the Python of `make test`, for tests with one site on each."""

UNIT, PROPERTY, SCENARIO = "tests/unit", "tests/property", "tests/scenario"
SAME_MINOR = (
    # Every module is imported, and two sites speak with each other, each on its own Python.
    "tests/pythons",
    # Sockets, TLS, event loops.
    f"{UNIT}/certs",
    *(
        f"{UNIT}/net/test_{name}.py"
        for name in (
            *("conformance", "conformance_tls", "epoll", "proxies", "resolver", "simulated"),
            *("splicing", "threads", "tls"),
        )
    ),
    # One scenario of each kind. Each file starts its own sites, which takes most of its time.
    f"{SCENARIO}/test_tcp_over_a_link.py::test_a_reset_of_the_client_reaches_the_target_as_a_reset",
    f"{SCENARIO}/test_http_over_a_link.py",
    f"{SCENARIO}/test_http_corpus.py",
    f"{SCENARIO}/test_grpc.py::test_metadata_and_trailers_pass_and_te_reaches_the_target",
    f"{SCENARIO}/test_tls.py::test_a_request_by_tls_is_served_and_its_target_knows_how_it_came",
    f"{SCENARIO}/test_renewal.py::test_a_certificate_is_renewed_over_its_link_which_stays_up",
    f"{SCENARIO}/test_workers.py::test_sites_elsewhere_see_one_site_with_all_slots",
    f"{SCENARIO}/test_console.py::test_beyond_loopback_it_shows_a_certificate_of_the_sites_own_ca",
    f"{SCENARIO}/test_restarts.py::test_a_crashed_site_comes_back_and_fails_no_idempotent_request_elsewhere",
    f"{SCENARIO}/test_published_coffee_shop.py",
    "tests/kubernetes/test_services.py::test_kubectl_apply_of_the_same_file_is_mended_and_settles",
)
"""What pytest runs on another release of the Python of `make test`: 3.11.7 beside 3.11.2."""

CHOSEN = (
    *SAME_MINOR,
    # Timers, signals, processes.
    *(f"{UNIT}/{room}" for room in ("control", "admin/console")),
    *(
        f"{UNIT}/admin/test_{name}.py"
        for name in (
            *("access_api", "admin_socket", "api", "bounded_connections", "client_identity"),
            *("connections", "ended_connections", "events_api", "flows_api", "graph_api"),
            *("hostile_bytes", "live_api", "simulation_api"),
        )
    ),
    *(
        f"{UNIT}/{path}.py"
        for path in (
            *(
                "trust/test_certificate_issuer",
                "trust/test_certificate_renewal",
            ),
            *("process/test_event_loop", "process/test_memory"),
            *("node/test_wall_clock", "workers/test_workers"),
            *("operate/test_event_file", "operate/test_simulation_process", "operate/test_sinks"),
            *("operate/test_opentelemetry_spans", "operate/test_views"),
            *("process/test_logs", "process/test_process", "process/test_state"),
            *("process/test_state_on_a_bad_disk", "process/test_systemd"),
        )
    ),
    # Patterns, codecs, structs: what arrives as bytes or as a document.
    *(f"{UNIT}/{room}" for room in ("documents", "model", "test_patterns.py")),
    f"{UNIT}/http",
    f"{UNIT}/exchange/test_http_corpus.py",
    f"{UNIT}/service/test_proxy_header.py",
    f"{UNIT}/exchange/test_http2_hostile.py",
    f"{UNIT}/service/test_http2_target.py",
    *(f"{UNIT}/link/test_{name}.py" for name in ("frames", "handshake", "mux")),
    *(
        f"{PROPERTY}/test_{name}.py"
        for name in (
            *("backup", "bundle_rendering", "documents", "edge_tables", "exposition", "frames"),
            *("gateway_yaml", "history", "http1", "http1_patterns", "http2", "http2_blocks"),
            *("http2_frames", "kubernetes", "lsa_codec", "net_streams", "renewal", "spf"),
            *("splicing", "timers", "tokens"),
        )
    ),
    # Command lines, terminals, archives, child processes.
    *(
        f"{UNIT}/sitectl/{path}"
        for path in (
            *("debug", "gateway/test_bundle.py", "runtimes/test_programs.py"),
            *(
                "verbs/test_access.py",
                "verbs/test_backup.py",
                "verbs/test_handling.py",
                "base/test_help.py",
            ),
            *(
                "site/test_hostile_owner.py",
                "verbs/test_interrupted_streams.py",
                "runtimes/test_process.py",
            ),
            *("show/test_safe_texts.py", "base/test_tables.py"),
        )
    ),
    f"{UNIT}/test_install_programs.py",
)
"""What pytest runs on all others: what depends on the interpreter and on its standard library.

`make test` runs everything. Rooms that only compute (routing, balance, history, manifests) and
whole routers in virtual time give the same on every Python that imports them: they are not here.
"""


def chosen_for(version: str, here: str) -> Sequence[str]:
    """What pytest runs on Python ``version`` while `make test` runs on ``here``."""
    return SAME_MINOR if _minor(version) == _minor(here) else CHOSEN


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
