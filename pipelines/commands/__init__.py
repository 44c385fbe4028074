"""What each subcommand of ``monazite`` does; ``pipelines.cli`` only parses and reports."""
