"""Robots, novel conditions, and the policies that walk."""
