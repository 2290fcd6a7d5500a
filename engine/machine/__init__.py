"""This machine: its folders, ports, memory and users."""
