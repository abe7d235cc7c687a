"""What the next request of a service would meet, what the last ones met, what is needed."""
