"""Images in archives: whole ones show their platforms, others are refused with the reason."""

import io
from collections.abc import Callable

import pytest

from certs.release.images import ImageLayout, NotAnImage
from tests.unit.certs.layouts import Layout, blob

BOTH = ("linux/amd64", "linux/arm64")


def read(layout: Layout) -> ImageLayout:
    return ImageLayout(io.BytesIO(layout.archive()))


@pytest.mark.parametrize("platforms", [BOTH, BOTH[:1], BOTH[1:]])
def test_an_image_tells_its_digest_and_all_of_its_platforms(platforms: tuple[str, ...]) -> None:
    made = Layout(*platforms)
    found = read(made)
    assert found.digest == made.digest
    assert found.platforms() == set(platforms)


def lose_a_layer(made: Layout) -> None:
    del made.files[blob(made.layers["linux/arm64"]["digest"])]


def change_a_layer(made: Layout) -> None:
    made.files[blob(made.layers["linux/arm64"]["digest"])] += b"!"


def change_the_list(made: Layout) -> None:
    made.files[blob(made.digest)] += b" "


def name_two(made: Layout) -> None:
    made.files["index.json"] = b'{"manifests": [{}, {}]}'


def lead_elsewhere(made: Layout) -> None:
    made.files["index.json"] = b'{"manifests": [{"digest": "../../etc/passwd"}]}'


def lose_the_index(made: Layout) -> None:
    del made.files["index.json"]


def no_json(made: Layout) -> None:
    made.files["index.json"] = b"{"


def nest_deep(made: Layout) -> None:
    made.files["index.json"] = b"[" * 100_000


def no_object(made: Layout) -> None:
    made.files["index.json"] = b"[]"


def no_config(made: Layout) -> None:
    made.files["index.json"] = (
        b'{"manifests": [{"digest": "%s"}]}' % made.put(b"{}")["digest"].encode()
    )


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_a_layer, "is missing"),
        (change_a_layer, "was changed"),
        (change_the_list, "was changed"),
        (name_two, "not one image"),
        (lead_elsewhere, "no SHA-256 digest"),
        (lose_the_index, "index.json is missing"),
        (no_json, "not JSON"),
        (nest_deep, "not JSON"),
        (no_object, "not a JSON object"),
        (no_config, "no 'config'"),
    ],
)
def test_what_is_not_a_whole_image_is_refused(spoil: Callable[[Layout], None], said: str) -> None:
    made = Layout(*BOTH)
    spoil(made)
    with pytest.raises(NotAnImage, match=said):
        read(made).platforms()


def test_what_is_no_archive_is_refused() -> None:
    with pytest.raises(NotAnImage, match="no archive"):
        ImageLayout(io.BytesIO(b"no archive"))
