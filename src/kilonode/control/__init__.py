"""Work queue, mirror and controller loop: how actual follows wanted."""
