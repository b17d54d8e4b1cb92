"""Nova v2.1 of the emulated cloud: servers and what belongs to them."""
