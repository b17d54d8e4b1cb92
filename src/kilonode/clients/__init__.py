"""How Kilonode talks to a cloud: transport, authentication, catalog, waiting."""
