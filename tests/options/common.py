"""What the tests of options share."""

from __future__ import annotations

from gnet.options.listen import listen_request
from gnet.options.server import server_options
from gnet.options.shapes import normalize_arguments, split_server_arguments


def listen(*args, **keywords):
    """Do what ``Server.listen`` does with its arguments."""
    options, _ = normalize_arguments(args, keywords)
    return listen_request(options, args)


def create(*args, **keywords):
    """Do what the constructor of ``Server`` does with its arguments."""
    options, _ = split_server_arguments(args, keywords)
    return server_options(options)
