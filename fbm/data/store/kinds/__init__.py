"""How a store keeps its frames (`data.frames`), one module a kind."""
