"""What people correct of a video: kept apart from the machine's values, applied to them, undone one by one."""
