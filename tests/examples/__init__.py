"""The programs of ``examples/``, each with its own tests."""
