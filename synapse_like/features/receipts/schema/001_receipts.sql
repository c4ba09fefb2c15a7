-- How far each user has read each room, by type and thread (empty: unthreaded). (depth, event_number) is the event's place.
CREATE TABLE receipts (
    room_nid BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    type TEXT NOT NULL,
    thread TEXT NOT NULL,
    room_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    depth BIGINT NOT NULL,
    event_number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (room_nid, user_id, type, thread)
);

-- "Who has read what in this room since N?" (sync)
CREATE INDEX receipts_by_number ON receipts (room_nid, number);

-- "What did this shard's log hold between M and N?" (refilling a gap)
CREATE INDEX receipts_by_log ON receipts (number);
