"""Fitted estimators as files, from which they are loaded without running code."""
