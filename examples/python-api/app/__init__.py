"""A small service that keeps readings of a tide gauge."""
