"""Release: from a built and checked database to files that analysts use.

==================  ===========================================================
module              what it does
==================  ===========================================================
``manifest``        what dbt says about the released tables
``licence_gate``    which rows the licences let pass
``database``        the two DuckDB files and the Parquet
``attribution``     who is to be named
``datapackage``     ``datapackage.json``
``dictionary``      the data dictionary
``release``         all of it, switched in one atomic step
``reader``          finding and opening releases, read-only
``query``           SQL from anybody, in four formats
``explain``         from mart rows back to cells, documents and hashes
``verify``          every hash and row count again
==================  ===========================================================
"""
