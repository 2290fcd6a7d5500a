"""The Dash view: a process of its own that reads published snapshots and nothing else.

    data.py        the newest snapshot, looked for every few seconds for everybody
    records.py     what was found, and in which of five states the page is
    words.py       everything it says; tables.py the figures as tables and CSV
    figures.py     the charts; world.py the map
    layout.py      the page; still.py the same without JavaScript
    pages.py       what is answered, made once a snapshot, with its ETag
    dashboard.py   the application: routes, headers
"""
