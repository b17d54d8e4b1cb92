"""OpenStack: configuration, authentication, catalog, microversions, one small class per service."""
