"""What a running program tells of itself, when it is asked. Nobody who does not ask pays for it."""
