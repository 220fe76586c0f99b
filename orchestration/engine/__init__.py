"""The shell around the protocol: reads rows, decides, writes by compare-and-set, dispatches, recovers."""
