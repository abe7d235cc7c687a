"""What to do about a file that cannot be read or written."""

import errno
import os

import pytest

from router.model.wording.file_trouble import RAISE_FILE_SIZE, RAISE_OPEN_FILES, next_step
from router.node.problems.problems import of_disk


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_without_a_free_descriptor_the_disk_is_not_blamed(number: int) -> None:
    reason = f"/site/owners.json: {os.strerror(number)}"
    assert next_step(reason, "Free space") == RAISE_OPEN_FILES
    assert {one.hint for one in of_disk(reason, reason)} == {RAISE_OPEN_FILES}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_closed_disk_is(number: int) -> None:
    reason = f"/site/owners.json: {os.strerror(number)}"
    assert next_step(reason, "Free space") == "Free space"
    assert all("Free space" in one.hint for one in of_disk(reason, reason))


def test_a_file_that_may_not_grow_needs_a_higher_limit_and_no_space() -> None:
    reason = "/srv/west/run/router.log: File too large"
    assert next_step(reason, "Free space") == RAISE_FILE_SIZE
    assert {one.hint for one in of_disk(reason, reason)} == {RAISE_FILE_SIZE}
