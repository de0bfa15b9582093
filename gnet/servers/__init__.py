"""`gnet.Server`: what listens, accepts, counts its connections, and stops."""
