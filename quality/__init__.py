"""Can it be trusted: agreement between sources and drift between editions, by Great Expectations.

``suites/*.yml`` hold the checks: what is selected from the marts, what is expected of it, how bad
a failure is. ``runner`` runs them, ``checks`` shows them in Dagster on the tables they look at.
Keys, ranges and relations are dbt's and are not repeated here.
"""
