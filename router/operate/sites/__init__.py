"""One site whole, this one or another, and the way to it: answers of `asking`, for an operator."""
