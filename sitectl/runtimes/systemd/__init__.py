"""A router as a systemd service.

`runtime` starts and stops it, `unit_file` renders its unit (pure), `facts` is what the unit must
know of this host. Keys that a manager does not know are left out (docs/hosts-systemd.md).
"""
