"""Requests of people (Art. 15 to 18, 20, 21 GDPR): the record, its clocks, its steps, its letters. Pure: nothing is read or
written here."""
