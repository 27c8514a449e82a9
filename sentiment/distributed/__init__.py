"""Ray: sweeps and scoring on this machine or on a cluster."""
