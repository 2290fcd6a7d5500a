"""The rules: which field is personal, who may see it, how it is masked. Pure: imports nothing of ours."""
