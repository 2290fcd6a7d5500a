"""Alerts: what rules ask, when somebody is told, and by whom."""
