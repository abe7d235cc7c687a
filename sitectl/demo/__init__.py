"""`sitectl demo`: three real sites on this machine, a burst, and what became of it.

`run` is the story; `sites` starts routers with `sitectl`, `backends` are the services, `load` the
clients, `judge` (pure) holds what happened against the three promises, `show` is the picture.
"""
