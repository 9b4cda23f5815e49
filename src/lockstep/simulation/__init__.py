"""The proof: random histories of the whole sync in simulated time, judged by the five promises.

Start at `make_history` and `play`; `./lockstep simulate` runs many. The planner, the engine, the bridge, the
client with its retries and its gate are the real ones; Mailchimp is the practice one, in this process; the
database, the clock, the wire and the worker processes are simulated, so that a seed replays exactly.
"""

from lockstep.simulation.events import Event, History, make_history
from lockstep.simulation.play import Result, play

__all__ = ["Event", "History", "Result", "make_history", "play"]
