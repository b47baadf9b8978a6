"""Importers: public data sets become dataset folders."""
