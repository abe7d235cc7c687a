"""`debug dump`: one archive with the facts that a maintainer needs, and no secret in it.

Three nets, one behind the other. Collectors take only listed fields of documents, objects and
processes, and never a value of environment variables and Secrets. `Scrubber` then removes texts
that look like a secret. And it removes the site's own secrets, read before, wherever they occur.
"""
