"""How every surface says that no site takes a request: one phrase for all of them.

Of one service. A site that a rule leaves out may have room:
`router.node.problems.left_out` names it.
"""

from typing import Final

EVERY_SITE_IS_FULL: Final = "every site that may serve it is full"
EVERY_REACHED_IS_FULL: Final = "every site that is reached and may serve it is full"
EVERY_OTHER_IS_FULL: Final = "every other site that may serve it is full"
NO_SITE_IS_READY: Final = "no site that may serve it has a ready target"

# Of requests.
EVERY_SITE_FULL: Final = "found every site that may serve them full"
NO_READY_TARGET: Final = "found no ready target at any site that may serve them"
