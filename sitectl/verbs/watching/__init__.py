"""What happens, would happen, and what codes mean: `top`, `events`, `graph`, `explain`, `simulate`,
`demo`.
"""
