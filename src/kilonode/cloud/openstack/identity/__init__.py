"""The identity service, as Keystone v3: who there is, what they may do, tokens, and the catalog of services."""
