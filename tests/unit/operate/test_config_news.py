"""When events report errors of the configuration."""

from router.model.errors import ConfigError
from router.operate.record.config_news import ConfigNews
from tests.unit.exchange.fakes import FakeNetwork

EMPTY = ConfigError("Deployment/shop", "spec.selector", "selects no pod", code="SW0434")
WRONG = ConfigError("ConfigMap/shop", "$.spec", "is wrong", code="SW0101")


class Told:
    def __init__(self, settles_s: float) -> None:
        self.network = FakeNetwork()
        self.codes: list[str] = []
        self.news = ConfigNews(self.network, self._tell, settles_s)

    def _tell(self, severity: str, code: str, subject: str, message: str, hint: str = "") -> None:
        self.codes.append(code)


def test_a_finding_is_told_once_it_has_stood_for_a_while_and_once() -> None:
    told = Told(5.0)
    told.news.apply([EMPTY])
    told.network.advance(4.9)
    told.news.apply([EMPTY, WRONG])
    assert told.codes == []
    told.network.advance(0.2)
    assert told.codes == ["SW0434"]
    told.network.advance(60.0)
    told.news.apply([EMPTY, WRONG])
    assert told.codes == ["SW0434", "SW0101"]


def test_a_finding_that_passes_sooner_is_never_told() -> None:
    """A Deployment that is scaled from 0 to 2 has no pod for a moment."""
    told = Told(5.0)
    for _ in range(3):
        told.news.apply([EMPTY])
        told.network.advance(0.3)
        told.news.apply([])
        told.network.advance(60.0)
    assert told.codes == []


def test_a_file_that_is_wrong_is_told_at_once_and_again_when_it_is_wrong_again() -> None:
    told = Told(0.0)
    told.news.apply([WRONG])
    assert told.codes == ["SW0101"]
    told.news.apply([WRONG])
    told.news.apply([])
    told.news.apply([WRONG])
    assert told.codes == ["SW0101", "SW0101"]
