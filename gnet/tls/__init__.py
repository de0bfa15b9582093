"""Node's module ``tls``, and Python's."""
