"""Answers of `why`: the next decision, past ones, and demand for autoscalers."""
