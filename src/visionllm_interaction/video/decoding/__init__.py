"""Video files to frames with true time stamps, in a process that can open nothing else."""
