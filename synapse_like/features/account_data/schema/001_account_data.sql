-- What clients store for their user: globally (room_id is empty) or per room. What was deleted stays as a mark, so that
-- other clients of the user hear of it.
CREATE TABLE account_data (
    user_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    type TEXT NOT NULL,
    number BIGINT NOT NULL,
    content TEXT NOT NULL,
    is_deleted SMALLINT NOT NULL,
    PRIMARY KEY (user_id, room_id, type)
);

-- "What has changed for this user since N?" (sync)
CREATE INDEX account_data_by_user ON account_data (user_id, number);

-- "What did this shard's log hold between M and N?" (refilling a gap)
CREATE INDEX account_data_by_log ON account_data (number);
