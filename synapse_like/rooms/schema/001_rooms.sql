-- Numbers are handed out in blocks, so that a process asks once per thousand.
CREATE TABLE number_blocks (
    name TEXT PRIMARY KEY,
    next BIGINT NOT NULL
);

-- The shard is picked by a hash when the room or user is first seen, and stays.
CREATE TABLE rooms (
    room_nid BIGINT PRIMARY KEY,
    room_id TEXT NOT NULL UNIQUE,
    room_version TEXT NOT NULL,
    shard INTEGER NOT NULL
);

CREATE TABLE user_shards (
    user_id TEXT PRIMARY KEY,
    shard INTEGER NOT NULL
);

-- (type, state key) pairs. A user's number is that of ("m.room.member", user id).
CREATE TABLE state_keys (
    key_nid BIGINT PRIMARY KEY,
    type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    UNIQUE (type, state_key)
);

-- kind: 0 live, 1 backfilled, 2 soft-failed, 3 rejected, 4 outlier, 5 out-of-band membership.
-- (branch, version) name the state before the event; branch 0 is the trunk.
-- notified and highlighted are the room's (or thread's) counters after the event.
CREATE TABLE events (
    event_nid BIGINT PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    room_nid BIGINT NOT NULL,
    number BIGINT,
    depth BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    type TEXT NOT NULL,
    key_nid BIGINT,
    sender TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    sent_ms BIGINT NOT NULL,
    branch BIGINT NOT NULL,
    version BIGINT NOT NULL,
    thread TEXT,
    notified BIGINT NOT NULL,
    highlighted BIGINT NOT NULL,
    json TEXT NOT NULL,
    extras TEXT
);

-- "What happened in this room after N?" (sync)
CREATE INDEX events_by_number ON events (room_nid, number);

-- "What stands before or after this place?" (messages, context)
CREATE INDEX events_by_place ON events (room_nid, depth, number);

-- "What did this shard's log hold between M and N?" (refilling a gap)
CREATE INDEX events_by_log ON events (number);

-- "Which event of this room was sent nearest to a time?"
CREATE INDEX events_by_time ON events (room_nid, sent_ms);

-- One row per room: extremities as JSON [[event id, event nid, branch, version, depth], ...]; state before a next event.
CREATE TABLE room_heads (
    room_nid BIGINT PRIMARY KEY,
    number BIGINT NOT NULL,
    depth BIGINT NOT NULL,
    trunk_version BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    notified BIGINT NOT NULL,
    highlighted BIGINT NOT NULL,
    joined_members BIGINT NOT NULL,
    invited_members BIGINT NOT NULL,
    extremities TEXT NOT NULL
);

-- The log of the room's resolved current state; event_nid NULL: the key was removed.
CREATE TABLE state_trunk (
    room_nid BIGINT NOT NULL,
    key_nid BIGINT NOT NULL,
    version BIGINT NOT NULL,
    event_nid BIGINT,
    number BIGINT NOT NULL,
    PRIMARY KEY (room_nid, key_nid, version)
);

-- "What changed in this room between two numbers?", "Which version held at this number?"
CREATE INDEX state_trunk_by_number ON state_trunk (room_nid, number, version);

-- "What changed in this shard's log between M and N?" (refilling a gap)
CREATE INDEX state_trunk_by_log ON state_trunk (number);

-- A branch is a difference to the trunk at base_version.
CREATE TABLE state_branches (
    branch BIGINT PRIMARY KEY,
    room_nid BIGINT NOT NULL,
    base_version BIGINT NOT NULL
);

CREATE TABLE state_branch_rows (
    branch BIGINT NOT NULL,
    key_nid BIGINT NOT NULL,
    version BIGINT NOT NULL,
    event_nid BIGINT,
    PRIMARY KEY (branch, key_nid, version)
);

-- The trunk's newest value per key.
CREATE TABLE current_state (
    room_nid BIGINT NOT NULL,
    key_nid BIGINT NOT NULL,
    event_nid BIGINT NOT NULL,
    is_member SMALLINT NOT NULL,
    PRIMARY KEY (room_nid, key_nid)
);

CREATE TABLE members (
    room_nid BIGINT NOT NULL,
    user_nid BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    membership TEXT NOT NULL,
    event_nid BIGINT NOT NULL,
    number BIGINT NOT NULL,
    sender TEXT NOT NULL,
    display_name TEXT,
    avatar_url TEXT,
    is_local SMALLINT NOT NULL,
    is_forgotten SMALLINT NOT NULL,
    PRIMARY KEY (room_nid, user_nid)
);

-- "Which rooms is this user in?"
CREATE INDEX members_by_user ON members (user_id, membership);

-- "Who are the local members?", "Who are the joined members, for heroes and counts?"
CREATE INDEX members_by_membership ON members (room_nid, membership, is_local);

CREATE TABLE event_transactions (
    room_nid BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    PRIMARY KEY (room_nid, user_id, device_id, transaction_id)
);

-- "Which transaction ids of the last hours must a live room know?"
CREATE INDEX event_transactions_by_time ON event_transactions (room_nid, received_ms);

-- A redaction that takes effect. The redacted event's JSON stays as it was signed.
CREATE TABLE redactions (
    room_nid BIGINT NOT NULL,
    redacted_id TEXT NOT NULL,
    redaction_nid BIGINT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (room_nid, redacted_id)
);

-- "Which redactions did this shard's log hold between M and N?"
CREATE INDEX redactions_by_log ON redactions (number);

-- A redaction that came before what it redacts, and takes effect (or not) when that comes.
CREATE TABLE waiting_redactions (
    room_nid BIGINT NOT NULL,
    redacted_id TEXT NOT NULL,
    redaction_id TEXT NOT NULL,
    PRIMARY KEY (room_nid, redacted_id, redaction_id)
);
