"""upgrades: what a change of version did to a cloud while it was used."""
