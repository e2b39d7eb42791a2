"""The run log: the database of all runs of this user on this machine, and which process works on which run.

Many threads and processes use one log at once. Every change is one committed transaction.
"""

from hailuo_jupyter.runlog.log import RunLog
from hailuo_jupyter.runlog.ownership import Owner
from hailuo_jupyter.runlog.queries import peek_unfinished
from hailuo_jupyter.runlog.row import Row

__all__ = ["Owner", "Row", "RunLog", "peek_unfinished"]
