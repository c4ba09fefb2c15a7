"""SQL of sending to other servers: how destinations stand, what waits for them, and where they come in rooms."""
