"""Observe, apply, doubt: executes exactly a plan's steps, and knows what an unanswered request means.

Where to go: `observe` reads every provider once; `apply` schedules steps; `steps_*` hold one function an operation;
`operation` is the one place that announces, sends and records; `doubt` the one table of unanswered requests.
"""
