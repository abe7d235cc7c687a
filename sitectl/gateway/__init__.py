"""Gateways in files: Skupper's YAML of one, and bundles that run where only podman is.

`definition` turns the YAML into documents and back, `contents` says what a bundle holds, `scripts`
renders its shell scripts; these are pure. `credential` makes identity and certificate, `bundle`
writes the archive. Commands are in `sitectl.verbs`.
"""
