"""A site's CA: its pair of keys, what it issues and on which terms, and how it is replaced."""
