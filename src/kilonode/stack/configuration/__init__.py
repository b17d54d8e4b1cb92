"""The configuration files of the services: one module for each service, from one `Site` that all of them share."""
