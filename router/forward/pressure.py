"""What all requests of a router hold in memory, and whether it takes on more."""


class Pressure:
    """One for all service ports of a router. ``held_bytes`` counts what waits to be sent again.

    While ``is_refusing`` nothing new is begun: clients are answered at once, other sites go
    elsewhere. ``refused_total`` counts what was turned down for that.
    """

    __slots__ = ("held_bytes", "is_refusing", "refused_total")

    def __init__(self) -> None:
        self.held_bytes = 0
        self.is_refusing = False
        self.refused_total = 0
