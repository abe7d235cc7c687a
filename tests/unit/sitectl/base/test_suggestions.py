"""Words that are nearly known."""

import pytest

from tests.unit.sitectl.conftest import CommandLine


def test_binding_to_a_name_that_is_nearly_known_says_so(here: CommandLine) -> None:
    here.ok("service", "create", "shop", "8080")
    said = here.ok("service", "bind", "shp", "127.0.0.1:9001").stderr
    assert "Did you mean shop? Then: sitectl service unbind shp 127.0.0.1:9001" in said
    here.ok("service", "unbind", "shp", "127.0.0.1:9001")
    assert "Did you mean" not in here.ok("service", "bind", "orders", "127.0.0.1:9001").stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("service", "set", "shp", "--queue", "4"), "; did you mean shop?"),
        (("service", "create", "web", "80", "--protocol", "htp"), " Did you mean http?"),
        (("service", "create", "web", "80", "--policy", "fil"), " Did you mean fill?"),
    ],
)
def test_errors_name_the_word_that_was_meant(
    here: CommandLine, words: tuple[str, ...], meant: str
) -> None:
    here.ok("service", "create", "shop", "8080")
    failed = here(*words)
    assert failed.exit_code != 0 and meant in failed.stderr, failed.stderr
