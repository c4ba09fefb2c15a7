-- The accounts of this server. A row is never deleted: a name is given once.
-- is_departing: the account was closed and its user has not left everywhere yet.
CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    password_hash TEXT,
    created_ms BIGINT NOT NULL,
    user_type TEXT,
    is_guest SMALLINT NOT NULL,
    is_admin SMALLINT NOT NULL,
    is_deactivated SMALLINT NOT NULL,
    is_erased SMALLINT NOT NULL,
    is_locked SMALLINT NOT NULL,
    is_suspended SMALLINT NOT NULL,
    is_departing SMALLINT NOT NULL,
    number BIGINT NOT NULL
);

-- "Which accounts changed in this shard's log between M and N?" (refilling a gap)
CREATE INDEX users_by_log ON users (number);

-- "Whose departure has to be resumed?"
CREATE INDEX users_departing ON users (user_id) WHERE is_departing = 1;
