-- What each user has changed about the default push rules, and the user's own: JSON as `Ruleset.to_json` gives it.
CREATE TABLE push_rules (
    user_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    rules TEXT NOT NULL
);

-- "Whose rules changed in this shard's log between M and N?" (refilling a gap)
CREATE INDEX push_rules_by_log ON push_rules (number);
