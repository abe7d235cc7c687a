"""`debug dump`: one archive with what a maintainer needs, and no secret in it.

Three nets, one behind the other. What is collected is named field by field: of documents, objects
and processes only what is listed is taken, of environment variables and Secrets never a value.
`Scrubber` then takes out what looks like a secret. And the secrets that this site has here are read
before, and taken out wherever they stand.
"""
