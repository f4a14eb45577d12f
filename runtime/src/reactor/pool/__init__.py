"""The worker of a pool: a parent that speaks to the gateway, and warm child processes that do its tasks.

parent.py       the loop                                     child.py     one task after another
conversation.py what is said to the gateway                  page.py      memory that parent and child share
channel.py      a connection to the gateway that never waits standing.py  what is put back after each task
work.py         tasks to children, outcomes from them        variables.py the environment of a task
children.py     a child as its parent sees it                reading.py   what a task reads of the gateway itself
held.py         what is leased and not yet reported          memory.py    how much memory a child may have
outcomes.py     what is to be reported                       settings.py  what the pod is told
pace.py         how much to lease and to hand out            saying.py    lines in the log
"""
