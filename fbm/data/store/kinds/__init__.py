"""How a store keeps its frames (`data.frames`), one module per kind."""
