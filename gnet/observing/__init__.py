"""What watches a program and its processes while they run: metrics and logs."""
