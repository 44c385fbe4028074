"""What exists: every table as a Dagster asset, under the name it has in SQL.

One module a publisher holds its raw tables (``usgs_mcs`` ... ``unsd_hs``), all made by the one form
in ``publisher``. Then follow the way of the data:

=============== ==========================================================================
editions        what the archive holds, and whether a new release is due
warehouse       every dbt model, seed and test
release         the finished release
=============== ==========================================================================

Assets are thin: they call ``pipelines`` and report.
"""
