-- Lists of devices of other servers' users, kept while a room is shared with them. is_stale: an update was missed.
CREATE TABLE remote_device_lists (
    user_id TEXT PRIMARY KEY,
    stream_id BIGINT NOT NULL,
    is_stale SMALLINT NOT NULL,
    master_key TEXT,
    self_signing_key TEXT
);

CREATE TABLE remote_devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);
