"""The small archive that a fresh clone runs on, offline, and the writers that made it.

``<source_id>/<label>/`` holds documents in the publisher's layout with real figures, written by
``writers``, and ``edition.yml``, which says where each figure is from. Nothing here is a copy of a
publisher's file. ``python -m starter.build`` writes all of it again from the originals.
"""
