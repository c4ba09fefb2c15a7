-- Reactions and other annotations: who has put which key on which event.
CREATE TABLE annotations (
    room_nid BIGINT NOT NULL,
    target_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    type TEXT NOT NULL,
    annotation_key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (room_nid, target_id, sender, type, annotation_key, event_id)
);
