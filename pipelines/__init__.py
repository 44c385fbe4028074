"""How it runs: catalogue, archive, readers, build, release, command line."""
