"""Killing real processes in the middle of a sync, and judging by the promises what became of everybody.

`lockstep bench kills` plays it for as long as one likes; `tests/scenarios/test_kills.py` a short one.
"""
