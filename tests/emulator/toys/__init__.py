"""Publishers that exist in tests only: one with pages and a quota, one with packed files.

Their readers and catalogue entries are in ``tests/fixtures/asked``.
"""
