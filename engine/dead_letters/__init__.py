"""What is done with dead letters: which stand, sending them again, discarding them, knowing one that came back."""
