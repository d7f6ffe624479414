"""Importers: one file a format, each from the bytes of a foreign export to exchanges of a trace."""
