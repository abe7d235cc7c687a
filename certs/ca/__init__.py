"""A site's CA: its key pair, the certificates it issues and their terms, and its rotation."""
