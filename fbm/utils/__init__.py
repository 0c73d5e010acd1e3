"""What every room needs: errors, files, progress, memory, child processes."""
