"""The sync itself: pure decisions, and an engine that carries them out through ports.

Imports the standard library only; reads no clock and draws no random number.
Start with `planner.make_plan`, then `engine.Engine`; `ports` says what both need.
"""
