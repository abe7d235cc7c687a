"""What both ends of a link keep of it, each in a file of its own in ``secrets/``.

Who dials: its credential, the renewal of it, a login at a proxy. Who is dialled: whom it let in,
and who may no longer link.
"""
