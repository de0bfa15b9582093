"""``python -m gnet``: finding and running a program, in one process or in several."""
