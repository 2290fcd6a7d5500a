"""Somebody is told when people are not stored or not counted: the alerts of infra/metrics/rules.yml without a Prometheus.

    expressions.py   what a rule asks, as far as PromQL is used here
    figures.py       what stream and producer showed, for as long as a rule looks back
    rules.py         the rules themselves, read from that file: there are no others
    standing.py      which are on, since when, and who was told what; kept in a file
    messages.py      what is told
    receivers.py     a webhook, a mail server
    watch.py         looks, and tells, in a thread of the keeper
"""
