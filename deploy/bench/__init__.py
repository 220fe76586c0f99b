"""The benchmark: how fast orders are placed, and what one order costs in CPU time and commits."""
