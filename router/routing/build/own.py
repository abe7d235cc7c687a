"""This router's own part of its route table."""

import msgspec

from router.model.ids import RouterId
from router.model.messages.adverts import Declaration
from router.model.rights.sharing import SharingRules
from router.routing.adverts.lsa import Node


class OwnRouter(msgspec.Struct, frozen=True, kw_only=True):
    """Fields of the table about this router and its site."""

    node: Node
    name: str
    version: str
    draining: bool
    common: bool
    declarations: tuple[Declaration, ...]
    adjacencies: tuple[RouterId, ...]
    rules: SharingRules
