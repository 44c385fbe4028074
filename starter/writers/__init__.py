"""One module a source: reads the originals with our own reader, writes the figures again."""
