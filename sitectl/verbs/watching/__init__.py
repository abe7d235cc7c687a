"""What happens, would happen, and what it means: `top`, `events`, `graph`, `simulate`, `demo`."""
