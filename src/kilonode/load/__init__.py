"""Makes load: pacers, schedule segments, worker processes and the generator's watch over itself."""
