"""The image service, as Glance v2: images and who sees them, and their data in files."""
