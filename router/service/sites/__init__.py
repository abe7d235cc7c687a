"""What a service knows of other sites, by how they answered."""
