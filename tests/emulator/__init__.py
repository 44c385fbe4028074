"""Publishers on loopback: every interface in its real form, one ASGI server for all.

``app``         the server: a publisher's host is the first part of the path
``faults``      how an answer can go wrong, on request
``serving``     the server on a port of its own, for the time of a test or a demonstration
``publishers``  one module a publisher: its hosts and routes

A client reaches it as its mirror (``MONAZITE_HTTP_MIRROR``): ``https://host/path`` is asked as
``http://127.0.0.1:<port>/host/path``. Figures are the starter's where the starter holds the
publisher; for the others they are generated, and say so (``synthetic``).
"""
