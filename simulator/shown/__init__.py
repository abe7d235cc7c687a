"""How an outcome is shown: `report` tables, `plots` text, `overflow_chart` SVG. Pure."""
