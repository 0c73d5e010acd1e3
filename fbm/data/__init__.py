"""Videos to a store, masks, and clips from a store."""
