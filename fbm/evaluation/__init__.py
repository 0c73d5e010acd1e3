"""What the features hold: probing by factor, swaps, features of any videos."""
