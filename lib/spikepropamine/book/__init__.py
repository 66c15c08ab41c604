"""What a chapter needs: its parameters, figures, tables, claims and provenance."""
