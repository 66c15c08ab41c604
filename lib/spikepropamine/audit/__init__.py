"""Is everything published what it was, and what today's code would make?"""
