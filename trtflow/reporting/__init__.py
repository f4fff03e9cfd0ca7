"""What people read: the report, its gates, pictures and tables."""
