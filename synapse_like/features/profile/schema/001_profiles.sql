-- Profiles of local users. fields: what is neither name nor avatar, as a JSON object. is_gone: the account was closed.
CREATE TABLE profiles (
    user_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    display_name TEXT,
    avatar_url TEXT,
    fields TEXT NOT NULL,
    is_gone SMALLINT NOT NULL
);

-- "What did this shard's log hold between M and N?" (refilling a gap)
CREATE INDEX profiles_by_log ON profiles (number);

-- Users whose rooms have not all been told of their newest name and avatar, and the number of the change.
CREATE TABLE profile_intents (
    user_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL
);
