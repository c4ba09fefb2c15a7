"""What holds for one process holds for several: tests of other folders, run against a cluster."""
