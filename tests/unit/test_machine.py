"""What benchmarks say of the Python that they ran on."""

import platform

import pytest

from tests.bench.machine import description, python_build


@pytest.mark.parametrize(
    ("flags", "prefix", "how"),
    [
        ("'--enable-shared' '--enable-optimizations' '--with-lto'", "/opt/x", "optimized (PGO)"),
        ("'--enable-shared'", "/usr", "the distribution's build"),
        ("'--enable-shared'", "/root/.pyenv/versions/3.11.7", "not optimized"),
        ("", "/usr/local", "not optimized"),
    ],
)
def test_the_build_is_named(flags: str, prefix: str, how: str) -> None:
    text = python_build(flags, prefix)
    assert text == f"{platform.python_version()}, {how}, {platform.python_compiler()}"


def test_the_description_has_it() -> None:
    assert description()["python"] == python_build()
