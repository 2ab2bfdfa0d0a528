"""Random parameters, tables and orders of calls, and what holds for all of them."""
