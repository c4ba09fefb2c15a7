-- Up to where a member has read: thread '' is all threads and the main timeline, 'main' the main timeline alone, any
-- other the root of a thread. `number` is the last event that was read, notified and highlighted are the counters there
-- (of the thread, else of the main timeline); `changed` is the place in the room's log at which this was said.
CREATE TABLE unread_marks (
    user_id TEXT NOT NULL,
    room_nid BIGINT NOT NULL,
    thread TEXT NOT NULL,
    number BIGINT NOT NULL,
    notified BIGINT NOT NULL,
    highlighted BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (user_id, room_nid, thread)
);

-- How a room counts for a member, from a number on: 0 all, 1 mentions, 2 off, 3 own rules. No row: all. With the
-- counters of the main timeline at that number.
CREATE TABLE unread_modes (
    user_id TEXT NOT NULL,
    room_nid BIGINT NOT NULL,
    number BIGINT NOT NULL,
    mode SMALLINT NOT NULL,
    notified BIGINT NOT NULL,
    highlighted BIGINT NOT NULL,
    PRIMARY KEY (user_id, room_nid, number)
);

-- "How does this room count for its members?" (a room becomes live)
CREATE INDEX unread_modes_by_room ON unread_modes (room_nid);

-- "Which modes changed in this shard's log between M and N?" (refilling a gap)
CREATE INDEX unread_modes_by_log ON unread_modes (number);

-- Events that count otherwise for a member than the member's mode says, as the difference. Thread 'main': none.
CREATE TABLE unread_deviations (
    user_id TEXT NOT NULL,
    room_nid BIGINT NOT NULL,
    number BIGINT NOT NULL,
    thread TEXT NOT NULL,
    notify SMALLINT NOT NULL,
    highlight SMALLINT NOT NULL,
    PRIMARY KEY (user_id, room_nid, number)
);

-- "For whom did this event count otherwise?" (it is redacted)
CREATE INDEX unread_deviations_by_event ON unread_deviations (room_nid, number);

-- Each thread's newest event and the thread's counters after it.
CREATE TABLE unread_threads (
    room_nid BIGINT NOT NULL,
    thread TEXT NOT NULL,
    number BIGINT NOT NULL,
    notified BIGINT NOT NULL,
    highlighted BIGINT NOT NULL,
    PRIMARY KEY (room_nid, thread)
);

-- "Which threads of this room have something after N?"
CREATE INDEX unread_threads_by_number ON unread_threads (room_nid, number);

-- Events that were redacted, by their own number: what they had added to the counters, which never go back.
CREATE TABLE unread_corrections (
    room_nid BIGINT NOT NULL,
    number BIGINT NOT NULL,
    thread TEXT NOT NULL,
    notify SMALLINT NOT NULL,
    highlight SMALLINT NOT NULL,
    PRIMARY KEY (room_nid, number)
);

-- "Where did this thread's counters stand at N?"
CREATE INDEX events_by_thread ON events (room_nid, thread, number) WHERE thread IS NOT NULL;
