"""The mathematics of preference: plain data in, plain data out, numpy and scipy only."""
