-- One attempt to prove who one is, for one operation. result: what came of it, if that is kept.
CREATE TABLE uia_sessions (
    session_id TEXT PRIMARY KEY,
    operation TEXT NOT NULL,
    user_id TEXT,
    flows TEXT NOT NULL,
    result TEXT,
    created_ms BIGINT NOT NULL
);

-- "Which sessions are too old?"
CREATE INDEX uia_sessions_by_time ON uia_sessions (created_ms);

CREATE TABLE uia_stages (
    session_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (session_id, stage)
);
