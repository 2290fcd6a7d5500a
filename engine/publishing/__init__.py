"""Public figures: from the live aggregates to numbered snapshots. What may be shown is governance/disclosure's to say.

    live.py        the aggregates of one turn, exact
    snapshots.py   the collection of what was published: all that the public view reads
    altered.py     whether they are still what was published
    release.py     a release: what was seen before, the next one, its evidence, and what is withdrawn
    held_back.py   what a release holds back and why, as the officer is told
    schedule.py    a release when one is due
"""
