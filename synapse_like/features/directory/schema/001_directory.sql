-- Aliases of this server. room_id '' is a reservation: the room is being created.
CREATE TABLE room_aliases (
    alias TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- "Which aliases has this room?"
CREATE INDEX room_aliases_by_room ON room_aliases (room_id);

CREATE TABLE published_rooms (
    room_id TEXT PRIMARY KEY
);

-- What a room shows of itself, from its current state; NULL or '' where the state says nothing.
-- name_folded and topic_folded are for searching.
CREATE TABLE room_summaries (
    room_nid BIGINT PRIMARY KEY,
    name TEXT,
    name_folded TEXT,
    topic TEXT,
    topic_folded TEXT,
    canonical_alias TEXT,
    avatar_url TEXT,
    join_rule TEXT,
    history_visibility TEXT,
    guest_access TEXT,
    room_type TEXT,
    encryption TEXT
);
