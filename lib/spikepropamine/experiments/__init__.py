"""Which runs there are, at which size, and how they are made: configurations, sweeps, and measurements of trained networks."""
