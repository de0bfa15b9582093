"""Arguments made into checked records; no I/O happens here.

Node takes its options in many shapes and converts each in its own way. These files turn them into
records, one file for each call, or raise Node's error. A call is read in two steps, because Node
registers the callback between them, so that it stays registered when the second step raises:

===================  ======================================  =======================================
call                 first step: the shape                   second step: the values
===================  ======================================  =======================================
``create_server()``  :func:`.shapes.split_server_arguments`  :func:`.server.server_options`
``listen()``         :func:`.shapes.normalize_arguments`     :func:`.listen.listen_request`
``connect()``        :func:`.shapes.normalize_arguments`     :func:`.connect.connect_request`
===================  ======================================  =======================================

Options are keyword arguments, or a mapping, or both (the keywords win), in ``snake_case`` or in
Node's spelling. A mapping is never modified; Node writes ``port: 0`` and ``exclusive: true`` into
the caller's. None is Node's ``null``, an absent key its ``undefined``. Rules and texts were
measured on Node 24.
"""
