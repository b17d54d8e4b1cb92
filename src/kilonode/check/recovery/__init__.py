"""recovery: what a disruption did to a cloud, and for how long."""
