"""Boots Quire in an emulator and talks to it: what every system test and the benchmark use."""
