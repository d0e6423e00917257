"""Simulated receiver, simulated care record and synthetic homes with known right answers; nothing here is real."""
