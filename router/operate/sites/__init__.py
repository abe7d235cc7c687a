"""One whole site, this one or another, and the path to it: answers of `asking`, for an operator."""
