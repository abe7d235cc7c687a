"""The parts of a release that a build makes from the sources: each the same bytes every time.

`deploy.airgap` puts them together. In: the sources, and a directory with wheels. Out: files below
the release's directory, without a time, a user or a name of this machine in them.
"""
