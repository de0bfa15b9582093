"""What watches a program while it runs: metrics and logs, and what it tells when it is asked."""
