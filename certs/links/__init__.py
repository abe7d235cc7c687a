"""Stored state of a link at both ends, each part in a separate file in ``secrets/``.

The dialing site: its credential, the credential's renewal, a login at a proxy. The dialed site:
the sites it let in, and those that may no longer link.
"""
