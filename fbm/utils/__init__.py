"""What every package needs: errors, files, progress, memory, child processes."""
