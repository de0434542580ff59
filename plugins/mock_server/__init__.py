"""A server on loopback that speaks the protocols of three vendors: it answers, delays and fails by instruction."""
