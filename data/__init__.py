"""What happened: tables, their checks, sources, the synthetic world, the store."""
