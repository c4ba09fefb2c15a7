"""SQL of unread counts: `writing` them, and `reading` a member's place in rooms."""
