"""The publishers' bytes: kept for good, compared with the last edition, told apart by hashes.

* ``store``: documents and editions; nothing accepted is ever changed or removed.
* ``profile``: what a reader made of an edition, in numbers.
* ``drift``: whether a new edition differs too much from the last one.
* ``fingerprint``: whether anything changed at all.
"""
