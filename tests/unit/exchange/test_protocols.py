"""HTTP/2 costs memory only where a service uses it, OpenTelemetry only where it is configured."""

import subprocess
import sys

LOOK = """
import sys, {module}
print(sorted(m for m in sys.modules if m in ("h2", "hpack", "opentelemetry", "requests")))
"""


def loaded_with(module: str) -> str:
    """Which of the libraries a fresh interpreter has after importing ``module``."""
    command = [sys.executable, "-c", LOOK.format(module=module)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_router_loads_http2_only_with_the_first_service_of_it() -> None:
    assert loaded_with("router.process.main") == "[]"
    assert loaded_with("router.exchange.clients.http2.session") == "['hpack']"


def test_a_router_loads_opentelemetry_only_when_it_shall_tell_of_requests() -> None:
    assert loaded_with("router.operate.flows.observability_settings") == "[]"
    assert "opentelemetry" in loaded_with("router.operate.flows.opentelemetry_spans")
