"""Processes that talk to each other: a channel, messages, and what is sent beside them."""
