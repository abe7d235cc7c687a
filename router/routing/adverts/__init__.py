"""Link-state adverts: read and written, stored, flooded to neighbors, compared."""
