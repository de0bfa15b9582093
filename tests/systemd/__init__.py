"""systemd: sockets that it has opened, what it is told, and its own programs."""
