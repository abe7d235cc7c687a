"""The parts of a release that are built from the sources: the same bytes every time.

`deploy.airgap` puts them together. In: the sources, and a directory with wheels. Out: files below
the release's directory, without a time, a user or a name of this machine in them.
"""
