-- What users have reported to the administrators; room_id, event_id and user_id as far as they say what it is about.
CREATE TABLE reports (
    report_id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    reporter TEXT NOT NULL,
    room_id TEXT,
    event_id TEXT,
    user_id TEXT,
    reason TEXT,
    score INTEGER
);
