"""TLS contexts of links and services, and the certificates that services show and trust."""
