"""SW0495: objects of Skupper v2 in a namespace."""

from typing import Final

from router.model.codes.code import Code

CODES: Final = (
    Code(
        "SW0495",
        "What the router may do with objects of Skupper v2",
        "Level A: they are in force, and their status is written. B: they are in force. C: they "
        "may not be read. The cluster may also have stopped serving their kinds. The controller "
        "also reports here why it keeps a site whose Site it does not see, and which status it may "
        "not write.",
        "Have an administrator of the cluster add the permission that the text names",
    ),
)
