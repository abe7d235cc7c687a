"""The verbs, a module per noun; `sitectl.main` puts them together."""
