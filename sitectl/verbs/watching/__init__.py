"""Live and past figures, simulation, and codes: `top`, `events`, `graph`, `explain`, `simulate`,
`demo`.
"""
