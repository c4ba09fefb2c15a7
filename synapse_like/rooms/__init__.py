"""The spine: rooms with one writer each, their events, their state by version, their members.

* `families`       the two families of logs, and who lives in which shard
* `facts`          the `events` stream: what the log carries for each event
* `numbers`        64-bit numbers for rooms, state keys and events
* `live`           the live room: what the owner keeps in memory to extend a room without reading
* `live_rooms`     loading, keeping and dropping live rooms
* `creation`       events made here: build, sign, check, accept
* `receiving`      events made elsewhere: forks, merges, soft failure
* `placement`      the state before an event from elsewhere, and whether it allows the event
* `resolution`     resolving forks; `auth_graph` is walked for it, `differences` says what meets
* `points`         names of states, and what one changes in another
* `outliers`       events without a place, stored in bulk
* `arrival`        coming into a room of other servers; `told` and `told_state` hold on disk what these tell of it
* `backfilling`    events of the past
* `out_of_band`    invites, knocks and refusals where this server is not in the room
* `persist`        what one batch of events writes
* `state_history`  the state at any point
* `event_store`    stored events by id, with their client JSON
* `timeline`       events of a room by number and by place
* `memberships`    who is in which room, as readers know it
* `hosts`          which servers are in which room
* `access`         who may see what
* `ports`          what the spine asks of features and of federation

SQL is in `sql/`, a file per subject.
"""
