"""TLS: the private authority of an installation, the certificates it gives, whom clients trust, and what servers show."""
