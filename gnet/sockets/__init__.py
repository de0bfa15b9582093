"""`gnet.Socket`: a stream on a descriptor, how it is connected, and its blocking side."""
