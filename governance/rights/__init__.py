"""The rights of people, in words that hold no person: what became of somebody's data in each store, and its proof."""
