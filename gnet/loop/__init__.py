"""When things happen, and how long a program lives: the one folder that touches gevent's hub."""
