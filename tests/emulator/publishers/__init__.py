"""One module a publisher, named as in the catalogue. It offers

* ``HOSTS``: the host names that it answers for;
* ``routes(emulator) -> list[starlette.routing.Route]``: below the host, in the publisher's form.
"""
