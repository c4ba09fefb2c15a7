-- The newest change of each device (device_id is empty: of the cross-signing keys) that others may see the keys of.
-- The newest number of a user is the version of the user's list of devices.
CREATE TABLE device_list_changes (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    is_deleted SMALLINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- "Whose list changed in this shard's log between M and N?" (sync, refilling a gap)
CREATE INDEX device_list_changes_by_log ON device_list_changes (number);

-- "Which ended devices may be forgotten?"
CREATE INDEX device_list_changes_ended ON device_list_changes (changed_ms) WHERE is_deleted = 1;

-- Whose master keys a user has signed: only that user's own devices hear of it.
CREATE TABLE signed_users (
    user_id TEXT NOT NULL,
    signed_user_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (user_id, signed_user_id)
);

-- "What did this shard's log hold between M and N?" (refilling a gap)
CREATE INDEX signed_users_by_log ON signed_users (number);
