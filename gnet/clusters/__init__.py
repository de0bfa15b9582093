"""`gnet.cluster`: workers that share what they listen on, and their primary."""
