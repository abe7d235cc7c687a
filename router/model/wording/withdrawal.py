"""The step with which a site stops declaring a service, in words."""


def withdrawal(service: str, where: str = "here") -> str:
    """The command that withdraws the declaration of ``service``; it also unbinds the targets of the
    site where it is typed. ``where``: "here" or "there"."""
    return f"sitectl service delete {service} (its targets {where} go, too: bind them again)"
