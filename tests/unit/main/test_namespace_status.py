"""The status ConfigMap has room for what an API server says, however long that is."""

from router.admin.views import Status
from router.main.namespace_status import KEY, short
from router.model import limits
from router.model.events import Problem


def test_problems_of_any_number_and_length_fit_into_a_config_map() -> None:
    long = "x" * 1_000_000
    status = Status(
        name="west",
        id="w",
        mode="interior",
        version="1",
        ready=True,
        uptime_s=1.0,
        links=0,
        services=0,
        sites=1,
        problems=(Problem(code="SW0428", message=long, hint=long),) * 200,
    )
    text = short(status, ())[KEY]
    assert len(text) < 3 * limits.STATUS_ITEMS_MAX * limits.STATUS_TEXT_CHARS_MAX
