"""Errors carry their facts apart, and say each of them once."""

from router.model.errors import ConfigError


def test_a_configuration_error_has_its_text_with_and_without_the_hint() -> None:
    error = ConfigError(
        "config/x.yaml", "$.kind", "no such kind", line=2, column=7, hint="Did you mean 'Link'?"
    )
    assert error.message == "config/x.yaml:2:7: no such kind (at $.kind)"
    assert str(error) == f"{error.message}. Did you mean 'Link'?"


def test_without_a_hint_both_texts_are_the_same() -> None:
    error = ConfigError("config/x.yaml", "", "cannot be read")
    assert str(error) == error.message == "config/x.yaml: cannot be read"
