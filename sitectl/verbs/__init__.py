"""The verbs, a module per noun, in folders as `sitectl --help` has them; `sitectl.main` puts them
together.
"""
