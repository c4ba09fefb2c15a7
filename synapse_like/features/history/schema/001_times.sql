-- "Which event of this room was sent nearest to a time?" Only events that stand in the timeline.
CREATE TABLE event_times (
    room_nid BIGINT NOT NULL,
    sent_ms BIGINT NOT NULL,
    event_nid BIGINT NOT NULL,
    PRIMARY KEY (room_nid, sent_ms, event_nid)
);
