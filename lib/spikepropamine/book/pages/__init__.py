"""The figures, tables and sentences of each chapter, a module a chapter."""
