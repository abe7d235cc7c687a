"""The fixtures of the scenario tests hold here, too."""

from tests.scenario.conftest import net, pytest_runtest_makereport

__all__ = ["net", "pytest_runtest_makereport"]
