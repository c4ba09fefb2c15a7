"""matrix-nio, the library of many bots and bridges, without encryption."""
